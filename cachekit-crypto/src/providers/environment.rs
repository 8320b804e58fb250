//! [`EnvironmentKeys`]: master keys from environment variables.

use std::ffi::OsString;
use std::fmt;

use async_trait::async_trait;
use cachekit_core::{Error, ErrorCode, KeyProvider, KeyRing, Result};
use zeroize::Zeroizing;

use crate::hex;

/// Provides the master keys of `CACHEKIT_MASTER_KEY` and `CACHEKIT_PREVIOUS_MASTER_KEYS`, looked up anew at each call.
///
/// The current key is hexadecimal text of at least 32 bytes; earlier ones are separated by commas, at most three. Spaces
/// around them do not count; inside a key, and around the current one, they are an error. A blank variable is an unset
/// one. Where the variables come from is up to the caller:
///
/// ```
/// use cachekit_core::KeyProvider;
/// use cachekit_crypto::EnvironmentKeys;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> cachekit_core::Result<()> {
/// let keys = EnvironmentKeys::new(|name| (name == "CACHEKIT_MASTER_KEY").then(|| "5a".repeat(32).into()));
/// assert_eq!(keys.keys().await?.current().expose(), [0x5a; 32]);
/// # Ok(())
/// # }
/// ```
///
/// A program that means its own environment hands `|name| std::env::var_os(name)` in.
///
/// # Errors
/// E001 if there is no current key; E002 if a key is malformed, if there are more than three earlier ones, or if the
/// current one is among them. None shows a digit of a key.
pub struct EnvironmentKeys<L> {
    look_up: L,
}

impl<L: Fn(&str) -> Option<OsString> + Send + Sync + 'static> EnvironmentKeys<L> {
    /// Provides the keys of the variables that `look_up` finds by name.
    pub fn new(look_up: L) -> Self {
        Self { look_up }
    }

    /// The keys as the variables are now: what [`keys`](KeyProvider::keys) answers, for whoever cannot wait.
    ///
    /// # Errors
    /// E001 and E002, as for the type.
    pub fn read(&self) -> Result<KeyRing> {
        let Some(current) = self.text(CURRENT)? else {
            return Err(Error::invalid(ErrorCode::E001, CURRENT, "a master key", "none"));
        };
        let previous = self.text(PREVIOUS)?;
        let entries = previous.iter().flat_map(|text| text.split(',')).enumerate();
        hex::ring((CURRENT, &current), entries.map(|(n, text)| (format!("{PREVIOUS}, key {}", n + 1), text.trim())))
    }

    /// The value of `name` unless it is blank, wiped when it is dropped.
    fn text(&self, name: &str) -> Result<Option<Zeroizing<String>>> {
        let Some(value) = (self.look_up)(name) else { return Ok(None) };
        match value.into_string() {
            Ok(text) => Ok(Some(Zeroizing::new(text)).filter(|text| !text.trim().is_empty())),
            Err(other) => {
                drop(Zeroizing::new(other.into_encoded_bytes()));
                Err(Error::invalid(ErrorCode::E002, name, "hexadecimal digits", "bytes that are not UTF-8"))
            }
        }
    }
}

#[async_trait]
impl<L: Fn(&str) -> Option<OsString> + Send + Sync + 'static> KeyProvider for EnvironmentKeys<L> {
    async fn keys(&self) -> Result<KeyRing> {
        self.read()
    }
}

impl<L> fmt::Debug for EnvironmentKeys<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvironmentKeys").finish_non_exhaustive()
    }
}

const CURRENT: &str = "CACHEKIT_MASTER_KEY";
const PREVIOUS: &str = "CACHEKIT_PREVIOUS_MASTER_KEYS";
