//! [`Sides`]: both clients, and the server between them.

use std::path::Path;

use bytes::Bytes;
use cachekit::core::{Entry, SetOptions};
use cachekit::interop::{InteropKey, InteropValues};
use cachekit::{Backend, Cache, Key, Namespace, NamespaceBuilder, RedisBackend, Remaining, Ttl};
use cachekit_crypto::Keys;
use cachekit_testkit::fixtures::RedisServer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::outcome::{Failure, Outcome};
use crate::python::{Call, Called, Function, Python, Sealing};

/// Both clients, and the server between them.
#[derive(Debug)]
pub(crate) struct Sides {
    pub(crate) python: Python,
    /// Started with [`FORMER`](crate::cases::FORMER) as its earlier key.
    pub(crate) rotated: Python,
    backend: RedisBackend,
    _server: RedisServer,
}

impl Sides {
    pub(crate) async fn start(interpreter: &Path) -> Result<Self, Failure> {
        let server = RedisServer::start();
        let url = server.url();
        let former = [("CACHEKIT_PREVIOUS_MASTER_KEYS", crate::cases::FORMER)];
        let (python, rotated) =
            tokio::try_join!(Python::start(interpreter, &url, &[]), Python::start(interpreter, &url, &former))?;
        Ok(Self { python, rotated, backend: RedisBackend::from_url(&url)?, _server: server })
    }

    /// A cache as another process would have it: with no copies of its own.
    pub(crate) fn cache(&self) -> Result<Cache, Failure> {
        Ok(Cache::builder().backend(self.backend.clone()).build()?)
    }

    /// How the entries of `operation` are opened, in such a cache.
    pub(crate) fn namespace<T>(&self, operation: &str) -> Result<NamespaceBuilder<T>, Failure>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        Ok(self.cache()?.namespace::<T>(NAMESPACE).serializer(InteropValues).interop(operation))
    }

    /// Such entries, in plain.
    pub(crate) fn plain<T>(&self, operation: &str) -> Result<Namespace<T>, Failure>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        Ok(self.namespace(operation)?.open()?)
    }

    /// Such entries, encrypted for the tenant that nobody named.
    pub(crate) fn sealed<T>(&self, operation: &str, keys: &Keys) -> Result<Namespace<T>, Failure>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        Ok(self.namespace(operation)?.transform(keys.interop_encryption()).open()?)
    }

    /// What is stored under a key of `operation`, byte for byte.
    pub(crate) async fn stored(&self, operation: &str, key: &InteropKey) -> Result<Option<Entry>, Failure> {
        Ok(self.backend.get(&stored_key(operation, key)?).await?)
    }

    /// For how long what is stored under a key of `operation` still lives, as our client asks the server. The entry itself
    /// does not say, and a GET does not bring it along.
    pub(crate) async fn left(&self, operation: &str, key: &InteropKey) -> Result<Option<Remaining>, Failure> {
        let expiring = self.backend.abilities().expiring;
        let expiring = expiring.ok_or_else(|| Failure("the backend knows of no lives".to_owned()))?;
        Ok(expiring.remaining(&stored_key(operation, key)?).await?)
    }

    /// Stores these bytes under a key of `operation`.
    pub(crate) async fn store(&self, operation: &str, key: &InteropKey, bytes: impl Into<Bytes>) -> Outcome {
        Ok(self.backend.set(&stored_key(operation, key)?, bytes.into(), &SetOptions::new(Ttl::secs(60))).await?)
    }

    /// Flips a bit of byte `at`, counted from the end if it is negative, of what is stored.
    pub(crate) async fn flip(&self, operation: &str, key: &InteropKey, at: isize) -> Outcome {
        let Some(entry) = self.stored(operation, key).await? else { return Err(Failure("nothing is stored".into())) };
        let mut bytes = entry.value.to_vec();
        let length = bytes.len();
        let at = if at < 0 { length.checked_add_signed(at) } else { at.try_into().ok() };
        match at.and_then(|at| bytes.get_mut(at)) {
            Some(byte) => *byte ^= 0x40,
            None => return Err(Failure(format!("only {length} bytes are stored"))),
        }
        self.store(operation, key, bytes).await
    }
}

/// A call with positional arguments of a function that lives for a minute.
pub(crate) fn call(operation: &str, signature: &'static str, positional: &Value) -> Call {
    let (namespace, operation) = (NAMESPACE.to_owned(), operation.to_owned());
    let function = Function { namespace, operation, signature, ttl: Some(60), encryption: None };
    Call { function, positional: positional.clone(), named: json!({}) }
}

impl Call {
    /// The same, encrypted.
    pub(crate) fn sealed(mut self, master_key: &'static str) -> Self {
        self.function.encryption = Some(Sealing { master_key, tenant: None, fail_closed: false });
        self
    }
}

/// Whether the function ran.
pub(crate) fn ran(called: &Called) -> Outcome {
    match called {
        Called::Ran => Ok(()),
        Called::Hit(value) => Err(Failure(format!("Python reads {value} where it should have read nothing"))),
        Called::Raised(class) => Err(Failure(format!("Python raises {class}"))),
    }
}

/// Whether what was stored was read as `expected`.
pub(crate) fn hit(called: &Called, expected: &Value) -> Outcome {
    match called {
        Called::Hit(value) => crate::outcome::same(expected, value),
        Called::Ran => Err(Failure("Python reads nothing, and computes".to_owned())),
        Called::Raised(class) => Err(Failure(format!("Python raises {class}"))),
    }
}

/// The names of an operation that each side writes for a case: what is under one is read by the other.
pub(crate) fn operations(group: &str, case: &str) -> (String, String) {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = format!("{group}-{case}").chars().map(plain).take(50).collect();
    (format!("{name}.by-python"), format!("{name}.by-rust"))
}

fn stored_key(operation: &str, key: &InteropKey) -> Result<Key, Failure> {
    Ok(Key::new(&format!("{NAMESPACE}:{operation}:{}", key.as_str()))?)
}

pub(crate) const NAMESPACE: &str = "shop";
