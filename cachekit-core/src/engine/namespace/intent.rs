//! [`Intent`]: whether the entries of a namespace are encrypted, and with what.

use std::sync::Arc;

use crate::{Error, ErrorCode, Result, Transform, TransformKind};

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
        transforms: &[Arc<dyn Transform>],
        encodes: bool,
    ) -> Result<Option<Arc<dyn Transform>>> {
        let sealed = transforms.iter().any(|transform| transform.kind() == TransformKind::Encryption);
        let subject = || format!("namespace {name:?}");
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
            Intent::With(transform) => check(&*transform).map(|()| Some(transform)),
            Intent::Plaintext => Ok(None),
            // Whoever hands an encryption over has said what they want.
            Intent::Secure | Intent::Unsaid if sealed || !encodes => Ok(None),
            Intent::Unsaid if self.unsaid == Unsaid::Plaintext => Ok(None),
            Intent::Unsaid if self.unsaid == Unsaid::Refused => {
                let expected = "`secure` or `plaintext` to be chosen, for the cache has a key";
                Err(Error::invalid(ErrorCode::E004, subject(), expected, "neither"))
            }
            Intent::Secure | Intent::Unsaid => match &self.transform {
                Some(transform) => Ok(Some(Arc::clone(transform))),
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
