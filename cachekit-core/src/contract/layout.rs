//! [`Layout`]: how the entries of a namespace are laid out.

/// How the entries of a namespace are laid out. Fixed when it is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// CacheKit's own: a header, the payload, and what protects both.
    #[default]
    Native,
    /// The one that CacheKit's other clients share: the document, encrypted or not, and nothing else.
    Interop,
}
