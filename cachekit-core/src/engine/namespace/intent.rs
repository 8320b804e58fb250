//! [`Intent`]: whether the entries of a namespace are encrypted, and with what.

use std::sync::Arc;

use super::NamespaceBuilder;
use crate::engine::staleness::Loads;
use crate::{Error, ErrorCode, Layout, Result, Transform, TransformKind};

/// What a namespace says about encryption when it is opened.
#[derive(Clone, Debug, Default)]
pub(crate) enum Intent {
    /// Nothing: the cache decides.
    #[default]
    Unsaid,
    /// Entries are stored in the clear.
    Plaintext,
    /// Entries are encrypted with what the cache has, or the namespace is not opened.
    Secure,
    /// Entries are encrypted with this.
    With(Arc<dyn Transform>),
}

impl<T: Send + Sync + 'static, L: Loads> NamespaceBuilder<T, L> {
    /// Encrypts the entries with `encryption`, whatever the cache says: `Keys::encryption` of `cachekit-crypto`.
    ///
    /// What is kept in L1 is the entry as it is stored, older values included, and each hit opens it. Nothing is ever
    /// stored in the clear, and an entry that is found in the clear is E005.
    ///
    /// In the [interop layout](Self::interop) the same keys seal as the other clients do, where the encryption
    /// [has that](Transform::for_interop). Compression, if there is any, comes before it. All openings of a namespace in one cache share the encryption of the
    /// first.
    pub fn encrypt(mut self, encryption: impl Transform) -> Self {
        self.intent = Intent::With(Arc::new(encryption));
        self
    }

    /// Encrypts the entries with what the cache has for that
    /// ([`CacheBuilder::encrypt_where_asked`](crate::CacheBuilder::encrypt_where_asked)), or refuses to open the
    /// namespace: E001. Otherwise as [`encrypt`](Self::encrypt).
    pub fn secure(mut self) -> Self {
        self.intent = Intent::Secure;
        self
    }

    /// Stores the entries in the clear, in a cache that encrypts those of other namespaces.
    pub fn plaintext(mut self) -> Self {
        self.intent = Intent::Plaintext;
        self
    }

    /// Whether who loads a value is told of an entry that does not authenticate (E003), or is in the clear where only
    /// encrypted ones are accepted (E005): then the load ends with [`LoadError::Cache`](crate::LoadError::Cache), and the
    /// entry is left in place. The cache's default unless said; that is false: the value is computed anew, the entry
    /// overwritten, and one warning per key and minute says so.
    ///
    /// A `Result` is needed to tell it: `get_or_load` and its kin have one. Direct calls return such errors in any case.
    /// An entry whose key is not at hand is a miss all the same, for processes on either side of a rotation have to live
    /// together.
    pub fn encryption_fail_closed(mut self, fail_closed: bool) -> Self {
        self.settings.encryption_fail_closed = fail_closed;
        self
    }
}

/// What a cache says about the encryption of its namespaces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encryption {
    pub(crate) transform: Option<Arc<dyn Transform>>,
    /// Which namespaces that say nothing are encrypted.
    pub(crate) unsaid: Unsaid,
}

/// What becomes of a namespace that says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unsaid {
    #[default]
    Plaintext,
    Encrypted,
    /// It is not opened.
    Refused,
}

impl Encryption {
    /// What is to encrypt the entries of the namespace `name`, which are changed by `transforms` so far.
    ///
    /// - E001 if they are to be encrypted and there is nothing to do it with.
    /// - E004 if the namespace was to say what it wants and did not.
    /// - E044 if it says two things, or one that cannot be.
    pub(crate) fn of(
        &self,
        name: &str,
        intent: Intent,
        layout: Layout,
        transforms: &[Arc<dyn Transform>],
        encodes: bool,
    ) -> Result<Option<Arc<dyn Transform>>> {
        let sealed = transforms.iter().any(|transform| transform.kind() == TransformKind::Encryption);
        let subject = || format!("namespace {name:?}");
        let fitting = |transform: &Arc<dyn Transform>| {
            let other = if layout == Layout::Interop { transform.for_interop() } else { None };
            Some(other.unwrap_or_else(|| Arc::clone(transform)))
        };
        match intent {
            Intent::Secure | Intent::With(_) if !encodes => {
                let message = "values that stay in L1 as they are have no entries to encrypt: open it with \
                               `Cache::namespace`";
                Err(Error::new(ErrorCode::E044, format!("{}: {message}", subject())))
            }
            Intent::Plaintext if sealed => {
                let expected = "`plaintext` or an encryption";
                Err(Error::invalid(ErrorCode::E044, subject(), expected, "both"))
            }
            Intent::With(transform) => check(&*transform).map(|()| fitting(&transform)),
            Intent::Plaintext => Ok(None),
            // Whoever hands an encryption over has said what they want.
            Intent::Secure | Intent::Unsaid if sealed || !encodes => Ok(None),
            Intent::Unsaid if self.unsaid == Unsaid::Plaintext => Ok(None),
            Intent::Unsaid if self.unsaid == Unsaid::Refused => {
                let expected = "`secure` or `plaintext` to be chosen, for the cache has a key";
                Err(Error::invalid(ErrorCode::E004, subject(), expected, "neither"))
            }
            Intent::Secure | Intent::Unsaid => match &self.transform {
                Some(transform) => Ok(fitting(transform)),
                None => {
                    let expected = "keys to encrypt its entries with: CACHEKIT_MASTER_KEY, or `encrypt` of the cache or the \
                                    namespace";
                    Err(Error::invalid(ErrorCode::E001, subject(), expected, "none"))
                }
            },
        }
    }
}

/// E044 for a transform that does not encrypt.
pub(crate) fn check(transform: &dyn Transform) -> Result<()> {
    match transform.kind() {
        TransformKind::Encryption => Ok(()),
        kind => Err(Error::invalid(ErrorCode::E044, "encrypt", "a transform that encrypts", format_args!("{kind:?}"))),
    }
}
