//! A web service with cached handlers, and what its load script and its tests need to ask it.

pub mod client;
mod service;
mod settings;

pub use crate::service::{Service, serve};
pub use crate::settings::Settings;
