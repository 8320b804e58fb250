//! Times in options: the texts that `cachekit::Ttl` reads, checked at compile time.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, ExprLit, Lit, Path, Result};

/// A time to live.
#[derive(Clone, Copy)]
pub(crate) enum Ttl {
    For(Duration),
    Never,
}

impl Ttl {
    pub(crate) fn parse(value: &Expr) -> Result<Self> {
        let expected = "expected a time like \"5m\", \"1h30m\" or \"250ms\", a number of seconds, or \"never\"";
        let (text, number) = text_or_number(value).ok_or_else(|| Error::new_spanned(value, expected))?;
        if !number && text == "never" {
            return Ok(Self::Never);
        }
        match duration(&text) {
            Some(Duration::ZERO) => Err(Error::new_spanned(
                value,
                "a time to live of zero stores nothing: leave `#[cache]` away, or write \"never\" for an entry that does \
                 not end",
            )),
            Some(duration) => Ok(Self::For(duration)),
            None => Err(Error::new_spanned(value, expected)),
        }
    }

    pub(crate) fn expand(self, krate: &Path) -> TokenStream {
        match self {
            Self::For(duration) => {
                let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
                quote! { #krate::__private::ttl(#seconds, #nanos) }
            }
            Self::Never => quote! { #krate::__private::Ttl::Never },
        }
    }
}

/// A limit: `"5s"`, or a number of seconds.
pub(crate) fn limit(value: &Expr) -> Result<Duration> {
    text_or_number(value).and_then(|(text, _)| duration(&text)).filter(|duration| !duration.is_zero()).ok_or_else(
        || Error::new_spanned(value, "expected a time above zero like \"5s\" or \"250ms\", or a number of seconds"),
    )
}

pub(crate) fn expand_limit(limit: Option<Duration>) -> TokenStream {
    match limit {
        Some(duration) => {
            let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
            quote! { ::core::option::Option::Some(::core::time::Duration::new(#seconds, #nanos)) }
        }
        None => quote! { ::core::option::Option::None },
    }
}

fn text_or_number(value: &Expr) -> Option<(String, bool)> {
    match value {
        // What came through a `macro_rules` macro.
        Expr::Group(group) => text_or_number(&group.expr),
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some((text.value(), false)),
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => Some((number.base10_digits().to_owned(), true)),
        _ => None,
    }
}

/// As `cachekit::Ttl` reads it, `never` apart. This crate depends on none of ours, so the few lines stand here again; a
/// test of the facade holds the two together.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 7] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let count = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?;
    if let Some(seconds) = count(text) {
        return Some(Duration::from_secs(seconds));
    }
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut total = Duration::ZERO;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let letters = rest[digits..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len() - digits);
        let nanos = units.find(|(name, _)| *name == &rest[digits..digits + letters])?.1;
        let nanos = u128::from(count(&rest[..digits])?) * u128::from(nanos);
        let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
        total = total.checked_add(Duration::new(seconds, (nanos % 1_000_000_000) as u32))?;
        rest = &rest[digits + letters..];
        if rest.is_empty() {
            return Some(total);
        }
    }
}
