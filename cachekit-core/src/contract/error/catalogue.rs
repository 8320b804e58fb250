//! The catalogue: every code with all that is said about it, one file per range.
//!
//! Each file declares a macro that appends its rows to those that it was given and hands them on to the next. In this
//! way all rows meet in one invocation (in `code.rs`), from which the type, its table, its documentation, `explain` and
//! the reference page are made: a code without one of its facts or texts does not compile.

#[macro_use]
mod encryption;
#[macro_use]
mod redis;
#[macro_use]
mod values;
#[macro_use]
mod resilience;
#[macro_use]
mod configuration;
#[macro_use]
mod locks;
#[macro_use]
mod backend;
