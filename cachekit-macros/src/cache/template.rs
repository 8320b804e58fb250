//! `key = "{id}"`: a text with placeholders, cut into the parts of a key.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::{Error, LitStr, Result};

/// A part of a key.
pub(crate) enum Part {
    /// The same text in each key.
    Text(String),
    /// What an expression writes: `id`, `user.id`, `self.region`.
    Value { root: Ident, expression: TokenStream },
}

impl Part {
    /// What the value's expression begins with.
    pub(crate) fn root(&self) -> Option<&Ident> {
        match self {
            Self::Text(_) => None,
            Self::Value { root, .. } => Some(root),
        }
    }
}

/// Cuts the text into parts: each `{..}` is what its argument writes, and what stands between, cut at `:`, is text.
///
/// The texts stand at the same places in each key and the values never run into their neighbours, so two calls meet
/// only where all values are equal, whatever the text between them is.
pub(crate) fn parse(template: &LitStr) -> Result<Vec<Part>> {
    let text = template.value();
    let fail = |message: &str| Err(Error::new(template.span(), message));
    if text.is_empty() {
        return fail("the key is empty: name arguments as in `key = \"{id}\"`, or write a word for a single entry");
    }
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '{' | '}' if characters.peek() == Some(&character) => {
                characters.next();
                literal.push(character);
            }
            '}' => return fail("a `}` without its `{`: write `}}` for the character itself"),
            '{' => {
                texts(&mut literal, &mut parts);
                let mut inside = String::new();
                loop {
                    match characters.next() {
                        Some('}') => break,
                        Some(character) => inside.push(character),
                        None => return fail("a `{` without its `}`: write `{{` for the character itself"),
                    }
                }
                parts.push(placeholder(&inside, template.span())?);
            }
            character => literal.push(character),
        }
    }
    texts(&mut literal, &mut parts);
    if parts.is_empty() {
        return fail("the key has no part: name arguments as in `key = \"{id}\"`, or write a word for a single entry");
    }
    Ok(parts)
}

fn texts(literal: &mut String, parts: &mut Vec<Part>) {
    parts.extend(literal.split(':').filter(|text| !text.is_empty()).map(|text| Part::Text(text.to_owned())));
    literal.clear();
}

fn placeholder(inside: &str, span: Span) -> Result<Part> {
    let fail = |message: String| Err(Error::new(span, message));
    if inside.trim().is_empty() {
        return fail("`{}` names nothing: write the argument into it, as in `{id}`".to_owned());
    }
    if let Some((name, _)) = inside.split_once(':') {
        return fail(format!("`{{{inside}}}` has a format, which keys do not take: write `{{{name}}}`"));
    }
    let mut path = inside.split('.');
    let root = path.next().and_then(|root| syn::parse_str::<Word>(root).ok());
    let members: Option<Vec<_>> = path.map(|member| syn::parse_str::<syn::Member>(member).ok()).collect();
    let (Some(Word(mut root)), Some(mut members)) = (root, members) else {
        return fail(format!(
            "`{{{inside}}}` is neither an argument nor a field of one, as in `{{id}}` or `{{user.id}}`: for anything else \
             pass it as an argument"
        ));
    };
    root.set_span(span);
    for member in &mut members {
        match member {
            syn::Member::Named(name) => name.set_span(span),
            syn::Member::Unnamed(index) => index.span = span,
        }
    }
    let expression = quote_spanned! { span=> #root #(.#members)* };
    Ok(Part::Value { root, expression })
}

/// An identifier, or `self`.
struct Word(Ident);

impl syn::parse::Parse for Word {
    fn parse(input: syn::parse::ParseStream<'_>) -> Result<Self> {
        if input.peek(syn::Token![self]) {
            return input.call(syn::ext::IdentExt::parse_any).map(Self);
        }
        input.parse().map(Self)
    }
}
