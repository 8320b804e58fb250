//! Fakes of the traits other than `Backend`, each of which works until it is told to fail.
//!
//! For a backend there are [`faults`](crate::faults), for time there is [`ManualClock`](cachekit_core::ManualClock).

mod cue;
mod key_provider;
mod policy;
mod serializer;
mod transform;

pub use self::cue::Cue;
pub use self::key_provider::FakeKeyProvider;
pub use self::policy::FakePolicy;
pub use self::serializer::FakeSerializer;
pub use self::transform::FakeTransform;
