//! `#[cache]` and `#[derive(IntoKey)]`: use them as `cachekit::cache` and `cachekit::IntoKey`.

use proc_macro::TokenStream;

mod cache;
mod derive;

/// Makes a struct or an enum a key: see `cachekit::IntoKey`.
///
/// - A struct writes its fields in order, be they named or not; one without fields writes nothing.
/// - An enum writes the name of its variant, then the fields. Renaming a variant is therefore another key.
/// - Every type parameter is bounded by `IntoKey`.
///
/// All fields count. Where one does not belong to the identity, write the trait by hand.
///
/// `#[cachekit(crate = "path")]` names the crate where it is not `::cachekit`.
///
/// ```
/// use cachekit_core::{IntoKey, KeyWriter};
///
/// #[derive(cachekit_macros::IntoKey)]
/// #[cachekit(crate = "cachekit_core")]
/// enum Page {
///     Home,
///     Article { id: u64, language: Option<String> },
/// }
///
/// let mut writer = KeyWriter::new(b"pages:");
/// Page::Article { id: 7, language: None }.write_key(&mut writer);
/// assert_eq!(writer.as_bytes(), b"pages:Article:7:_n");
/// # let _ = Page::Home;
/// ```
#[proc_macro_derive(IntoKey, attributes(cachekit))]
pub fn derive_into_key(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    derive::into_key(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Caches what an async function or method returns.
#[proc_macro_attribute]
pub fn cache(options: TokenStream, item: TokenStream) -> TokenStream {
    cache::expand(options.into(), item.into()).into()
}
