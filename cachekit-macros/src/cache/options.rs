//! The options of `#[cache(..)]`.

use std::time::Duration;

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, LitStr, Path, Result, Token, parenthesized, parse_quote};

use super::time::{self, Ttl};

pub(crate) struct Options {
    pub(crate) ttl: Option<Ttl>,
    pub(crate) none_ttl: Option<(Span, Ttl)>,
    pub(crate) key: Option<LitStr>,
    pub(crate) namespace: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) cache: Option<Expr>,
    pub(crate) load_timeout: Option<(Span, Duration)>,
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) background: Option<Span>,
    pub(crate) refresh_after: Option<(Span, Duration)>,
    pub(crate) stale_for: Option<(Span, Duration)>,
    pub(crate) interop: Option<LitStr>,
    pub(crate) invalidate: Option<Ident>,
    pub(crate) shared_error: Option<Path>,
    pub(crate) krate: Path,
}

/// What can be written, in the order in which it is told.
const KNOWN: [&str; 16] = [
    "ttl",
    "none_ttl",
    "key",
    "namespace",
    "name",
    "skip",
    "cache",
    "load_timeout",
    "lock_timeout",
    "timeout",
    "background",
    "refresh_after",
    "stale_for",
    "interop",
    "invalidate",
    "shared_error",
];

/// What other versions of CacheKit know, and what to do without it.
const LATER: [(&str, &str); 6] = [
    ("secure", "leave it away, and do not cache what must be encrypted"),
    ("io", "set the cache up in code and name it with `cache = ..`"),
    ("redis", "set the cache up in code and name it with `cache = ..`"),
    ("api_key", "set the cache up in code and name it with `cache = ..`"),
    ("serializer", "set up a cache of that format in code and name it with `cache = ..`"),
    ("fail_closed", "leave it away: a cached function runs whatever becomes of the cache"),
];

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self {
            ttl: None,
            none_ttl: None,
            key: None,
            namespace: None,
            name: None,
            skip: Vec::new(),
            cache: None,
            load_timeout: None,
            lock_timeout: None,
            timeout: None,
            background: None,
            refresh_after: None,
            stale_for: None,
            interop: None,
            invalidate: None,
            shared_error: None,
            krate: parse_quote!(::cachekit),
        };
        let mut seen = Vec::<Ident>::new();
        while !input.is_empty() {
            let option = input.call(Ident::parse_any).map_err(|error| {
                Error::new(error.span(), "expected an option and its value, as in `ttl = \"5m\"` or `skip(db)`")
            })?;
            if seen.contains(&option) {
                return Err(Error::new(option.span(), format!("`{option}` is given twice")));
            }
            options.set(&option, input)?;
            seen.push(option);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn set(&mut self, option: &Ident, input: ParseStream<'_>) -> Result<()> {
        let span = option.span();
        match option.to_string().as_str() {
            "ttl" => self.ttl = Some(Ttl::parse(&value(option, input)?)?),
            "none_ttl" => self.none_ttl = Some((span, Ttl::parse(&value(option, input)?)?)),
            "key" => self.key = Some(value(option, input)?),
            "namespace" => self.namespace = Some(namespace(value(option, input)?)?),
            "name" => self.name = Some(name(value(option, input)?)?),
            "skip" => {
                if !input.peek(syn::token::Paren) {
                    return Err(Error::new(span, "`skip` takes arguments in parentheses, as in `skip(db)`"));
                }
                let names;
                parenthesized!(names in input);
                self.skip = Punctuated::<Ident, Token![,]>::parse_terminated_with(&names, Ident::parse_any)?
                    .into_iter()
                    .collect();
            }
            "cache" => self.cache = Some(value(option, input)?),
            "load_timeout" => self.load_timeout = Some((span, time::limit(&value(option, input)?)?)),
            "lock_timeout" => self.lock_timeout = Some(time::limit(&value(option, input)?)?),
            "timeout" => self.timeout = Some(time::limit(&value(option, input)?)?),
            "background" => {
                if input.peek(Token![=]) {
                    return Err(Error::new(span, "`background` takes no value: write `background` alone"));
                }
                self.background = Some(span);
            }
            "refresh_after" => self.refresh_after = Some((span, time::limit(&value(option, input)?)?)),
            "stale_for" => self.stale_for = Some((span, time::limit(&value(option, input)?)?)),
            "interop" => self.interop = Some(value(option, input)?),
            "invalidate" => self.invalidate = Some(value(option, input)?),
            "shared_error" => self.shared_error = Some(value(option, input)?),
            "crate" => self.krate = value::<LitStr>(option, input)?.parse()?,
            other => {
                let message = match LATER.iter().find(|(later, _)| *later == other) {
                    Some((later, instead)) => {
                        format!("`{later}` is not available in this version of CacheKit: {instead}")
                    }
                    None => not_known(other),
                };
                return Err(Error::new(span, message));
            }
        }
        Ok(())
    }
}

fn value<T: Parse>(option: &Ident, input: ParseStream<'_>) -> Result<T> {
    if !input.peek(Token![=]) {
        return Err(Error::new(option.span(), format!("`{option}` takes a value, as in `{}`", example(option))));
    }
    input.parse::<Token![=]>()?;
    input.parse().map_err(|error| Error::new(error.span(), format!("`{option}`: {error}, as in `{}`", example(option))))
}

fn example(option: &Ident) -> &'static str {
    match option.to_string().as_str() {
        "ttl" => "ttl = \"5m\"",
        "none_ttl" => "none_ttl = \"30s\"",
        "key" => "key = \"{id}\"",
        "namespace" => "namespace = \"users\"",
        "name" => "name = \"Users::get\"",
        "cache" => "cache = self.cache",
        "load_timeout" => "load_timeout = \"10s\"",
        "lock_timeout" => "lock_timeout = \"5s\"",
        "timeout" => "timeout = \"1s\"",
        "refresh_after" => "refresh_after = \"1m\"",
        "stale_for" => "stale_for = \"1h\"",
        "interop" => "interop = \"find_order\"",
        "invalidate" => "invalidate = forget_user",
        "shared_error" => "shared_error = share_error",
        _ => "crate = \"cachekit\"",
    }
}

/// A namespace is taken as it is, so it must be one.
fn namespace(text: LitStr) -> Result<LitStr> {
    let value = text.value();
    let fits = (1..=64).contains(&value.len())
        && value != "t"
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if fits {
        return Ok(text);
    }
    Err(Error::new(text.span(), "a namespace is 1 to 64 of the characters A-Z a-z 0-9 _ . -, and not \"t\""))
}

/// A name may be a path; its `::` become dots.
fn name(text: LitStr) -> Result<LitStr> {
    let dotted = LitStr::new(&text.value().replace("::", "."), text.span());
    namespace(dotted).map_err(|error| {
        Error::new(error.span(), "a name is 1 to 64 of the characters A-Z a-z 0-9 _ . - and `::`, as in \"Users::get\"")
    })
}

fn not_known(option: &str) -> String {
    let nearest = KNOWN.iter().map(|known| (distance(option, known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= 1 + option.len() / 4 => {
            format!("unknown option `{option}`: did you mean `{known}`?")
        }
        _ => {
            let known: Vec<_> = KNOWN.iter().map(|known| format!("`{known}`")).collect();
            format!("unknown option `{option}`: there are {}", known.join(", "))
        }
    }
}

/// How many characters have to be added, removed or changed to come from one word to the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let change = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}
