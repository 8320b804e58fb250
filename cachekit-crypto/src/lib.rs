#![doc = include_str!("../README.md")]

mod cipher;
mod derivation;
mod encryption;
mod hex;
mod interop;
mod keys;
mod master;
mod nonce;
mod providers;
mod refusal;
mod session;
mod tally;

pub use self::cipher::Cipher;
pub use self::encryption::Encryption;
pub use self::interop::InteropEncryption;
pub use self::keys::{KeyUse, Keys, KeysBuilder, Refreshing};
pub use self::providers::{CachedKeys, EnvironmentKeys, FileKeys, StaticKeys};
