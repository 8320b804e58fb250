#![doc = include_str!("../README.md")]

mod backend;
mod batch;
mod builder;
mod config;
mod connection;
mod error;
mod gather;
mod lanes;
mod pulse;

pub use cachekit_core::{Error, Result};

pub use self::backend::RedisBackend;
pub use self::builder::RedisBuilder;
pub use self::config::{RedisConfig, RedisUrl};
