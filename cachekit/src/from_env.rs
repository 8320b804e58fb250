//! [`FromEnv`]: a cache as the environment wants it.

use std::future::{IntoFuture, Ready, ready};

use cachekit_core::{Error, ErrorCode, Result};

use crate::{Cache, CacheBuilder, Environment, MessagePack};

/// Makes a [`Cache`] as the environment wants it: `Cache::from_env().await?`.
pub trait CacheExt {
    /// Begins to make a cache from the environment of this process; `.await` makes it.
    ///
    /// ```
    /// use cachekit::{Environment, prelude::*};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> cachekit::Result<()> {
    /// let environment = Environment::from_iter([("CACHEKIT_L1_MAX_SIZE_MB", "64")]); // in a test: made up
    /// let cache = Cache::from_env().environment(environment).await?;
    /// assert_eq!(cache.status().l1_capacity, 64 << 20);
    /// # Ok(())
    /// # }
    /// ```
    fn from_env() -> FromEnv;
}

impl CacheExt for Cache {
    fn from_env() -> FromEnv {
        FromEnv { environment: None, intent: Intent::Unsaid }
    }
}

/// A cache on its way, as the environment wants it: [`CacheExt::from_env`].
///
/// # Which backend
/// Exactly one of `CACHEKIT_API_KEY` and `CACHEKIT_REDIS_URL` chooses; else `REDIS_URL`, where the feature `redis` is
/// on; else values live in L1 alone, which one information event says.
///
/// # What else is read
/// `CACHEKIT_L1_MAX_SIZE_MB` (1 to 1,048,576; 100 if unset), `CACHEKIT_MAX_VALUE_SIZE` (bytes, above zero; 104,857,600
/// if unset), `CACHEKIT_ENCRYPTION_FAIL_CLOSED` (a word for yes or no; no if unset: see
/// [`CacheBuilder::encryption_fail_closed`](crate::CacheBuilder::encryption_fail_closed)), and what `RedisBackend::from_env` reads. Around Redis are the policies of
/// [`Resilience::production`](crate::Resilience::production), under which a call is over within a second; where
/// `CACHEKIT_SOCKET_TIMEOUT` is set, within two and a half times that.
///
/// # Errors
/// - E041 for a value that cannot be, and for `CACHE_REDIS_URL`, `CACHE_MASTER_KEY`, `CACHE_API_KEY`, `CACHE_API_URL`,
///   whose prefix is wrong. Other names that look as if they were meant for CacheKit are a warning.
/// - E044 if what is chosen is not in this build.
/// - E045 if two backends are chosen.
/// - E004 if `CACHEKIT_MASTER_KEY` is set and it was not said what is to be encrypted ([`encrypted`](Self::encrypted),
///   [`encrypted_where_asked`](Self::encrypted_where_asked)) and what not ([`plaintext`](Self::plaintext)): nothing is
///   stored in the clear by mistake.
/// - E001 if something is to be encrypted and `CACHEKIT_MASTER_KEY` is not set or blank; E002 if it, or one of
///   `CACHEKIT_PREVIOUS_MASTER_KEYS`, is no key.
///
/// No I/O: a server that is down now does not keep a program from starting.
#[derive(Clone, Debug)]
#[must_use = "nothing is made until it is awaited"]
pub struct FromEnv {
    environment: Option<Environment>,
    intent: Intent,
}

/// What is to be encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Unsaid,
    Plaintext,
    #[cfg(feature = "crypto")]
    Encrypted,
    #[cfg(feature = "crypto")]
    WhereAsked,
    /// Each namespace has to say, if there is a key.
    #[cfg(feature = "macros")]
    ByNamespace,
}

impl FromEnv {
    /// Reads `environment` instead of this process's.
    pub fn environment(self, environment: Environment) -> Self {
        Self { environment: Some(environment), ..self }
    }

    /// Encrypts the entries of every namespace that is not opened with
    /// [`plaintext`](crate::NamespaceBuilder::plaintext), with the master keys of the environment, as they are now.
    ///
    /// For keys that rotate while the program runs, or that come from elsewhere, see `cachekit::crypto`.
    #[cfg(feature = "crypto")]
    pub fn encrypted(self) -> Self {
        Self { intent: Intent::Encrypted, ..self }
    }

    /// As [`encrypted`](Self::encrypted), but only for namespaces that are opened with
    /// [`secure`](crate::NamespaceBuilder::secure), and functions with `#[cache(secure)]`.
    #[cfg(feature = "crypto")]
    pub fn encrypted_where_asked(self) -> Self {
        Self { intent: Intent::WhereAsked, ..self }
    }

    /// Stores values in the clear although the environment has a master key.
    pub fn plaintext(self) -> Self {
        Self { intent: Intent::Plaintext, ..self }
    }

    /// Leaves it to each namespace to say, for a cache that nobody says anything of.
    #[cfg(feature = "macros")]
    pub(crate) fn by_namespace(self) -> Self {
        Self { intent: Intent::ByNamespace, ..self }
    }

    pub(crate) fn build(self) -> Result<Cache> {
        let environment = self.environment.unwrap_or_else(Environment::of_process);
        environment.check_names()?;
        let mut builder = self.intent.apply(Cache::builder(), &environment)?;
        if let Some(fail_closed) = environment.flag("CACHEKIT_ENCRYPTION_FAIL_CLOSED")? {
            builder = builder.encryption_fail_closed(fail_closed);
        }
        if let Some(mebibytes) = environment.whole("CACHEKIT_L1_MAX_SIZE_MB", 1_u64, 1 << 20)? {
            builder = builder.l1_bytes(mebibytes << 20);
        }
        if let Some(bytes) = environment.whole("CACHEKIT_MAX_VALUE_SIZE", 1_usize, usize::MAX)? {
            builder = builder.max_value(bytes);
        }
        let io = environment.text("CACHEKIT_API_KEY")?.is_some();
        let redis = environment.text("CACHEKIT_REDIS_URL")?.is_some();
        match (io, redis) {
            (true, true) => {
                let message = "CACHEKIT_API_KEY and CACHEKIT_REDIS_URL: expected one of them to be set, got both";
                Err(Error::new(ErrorCode::E045, message))
            }
            (true, false) => {
                let message = "CACHEKIT_API_KEY chooses the CachekitIO backend: it is not in this build";
                Err(Error::new(ErrorCode::E044, message))
            }
            #[cfg(not(feature = "redis"))]
            (false, true) => {
                let message =
                    "CACHEKIT_REDIS_URL chooses Redis: the feature `redis` of `cachekit` is off in this build";
                Err(Error::new(ErrorCode::E044, message))
            }
            #[cfg(feature = "redis")]
            (false, redis) if redis || environment.text("REDIS_URL")?.is_some() => {
                let read = |name: &str| environment.get(name).map(std::ffi::OsStr::to_os_string);
                let config = cachekit_redis::RedisConfig::from_env(read)?;
                if environment.get("CACHEKIT_SOCKET_TIMEOUT").is_some() {
                    // Who is patient with each command shall not be cut short by what is usual: an attempt has two
                    // fifths of the whole.
                    builder = builder.timeout(config.command_timeout.saturating_mul(5) / 2);
                }
                builder.backend(crate::RedisBackend::from_config(config)?).build()
            }
            (false, _) => {
                tracing::info!("no backend is configured: values are cached in this process alone");
                builder.build()
            }
        }
    }
}

impl Intent {
    /// Has `builder` encrypt what is to be encrypted.
    fn apply(self, builder: CacheBuilder<MessagePack>, environment: &Environment) -> Result<CacheBuilder<MessagePack>> {
        let has_key = environment.text("CACHEKIT_MASTER_KEY")?.is_some();
        match self {
            Self::Plaintext => Ok(builder),
            #[cfg(feature = "crypto")]
            Self::Encrypted => Ok(builder.encrypt(encryption(environment)?)),
            #[cfg(feature = "crypto")]
            Self::WhereAsked => Ok(builder.encrypt_where_asked(encryption(environment)?)),
            #[cfg(all(feature = "crypto", feature = "macros"))]
            Self::ByNamespace if has_key => Ok(builder.encrypt_where_asked(encryption(environment)?).intent_required()),
            _ if has_key => {
                let off = if cfg!(feature = "crypto") {
                    ""
                } else {
                    "; what encrypts is the feature `crypto` of `cachekit`, which is off in this build"
                };
                let message = format!(
                    "CACHEKIT_MASTER_KEY is set: expected encryption or plaintext to be chosen, got neither{off}"
                );
                Err(Error::new(ErrorCode::E004, message))
            }
            _ => Ok(builder),
        }
    }
}

/// E001 and E002 as for the environment's keys.
#[cfg(feature = "crypto")]
fn encryption(environment: &Environment) -> Result<cachekit_crypto::Encryption> {
    use cachekit_crypto::{Cipher, EnvironmentKeys, Keys};
    let environment = environment.clone();
    let keys = EnvironmentKeys::new(move |name| environment.get(name).map(std::ffi::OsStr::to_os_string));
    Ok(Keys::builder().cipher(Cipher::fastest()).fixed(&keys.read()?).encryption())
}

impl IntoFuture for FromEnv {
    type Output = Result<Cache>;
    type IntoFuture = Ready<Result<Cache>>;

    fn into_future(self) -> Self::IntoFuture {
        ready(self.build())
    }
}
