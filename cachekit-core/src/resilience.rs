//! Resilience: policies that decide about calls of a backend, and the driver that does what they say.

mod driver;
mod stack;

pub use self::driver::ResilientBackend;
pub use self::stack::Resilience;
