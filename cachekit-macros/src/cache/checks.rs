//! What is refused of options that do not fit the function.

use syn::Error;
use syn::ext::IdentExt;

use super::function::Function;
use super::options::Options;
use super::shape::{Shape, borrows};
use super::time::Ttl;
use super::{DEFAULT_TTL, no_argument};

/// Refuses options that do not fit the function.
pub(super) fn check_options(options: &Options, function: &Function, shape: &Shape) -> syn::Result<()> {
    let arguments: Vec<_> =
        function.arguments().flat_map(|argument| argument.names().into_iter().cloned().collect::<Vec<_>>()).collect();
    for skipped in &options.skip {
        if skipped == "self" {
            let message = "`self` is never part of a key by itself: there is nothing to skip";
            return Err(Error::new(skipped.span(), message));
        }
        if !arguments.contains(skipped) {
            return Err(Error::new(skipped.span(), no_argument(skipped, &arguments)));
        }
    }
    if let Some((span, _)) = options.none_ttl
        && !shape.optional
    {
        return Err(Error::new(span, "`none_ttl` is for `None`, which this function does not return: use `ttl`"));
    }
    if let Some((span, _)) = options.load_timeout
        && shape.result.is_none()
    {
        let message = "`load_timeout` needs a way to tell that the time is over: return a `Result` whose error is \
                       `From<cachekit::Error>`";
        return Err(Error::new(span, message));
    }
    check_interop(options)?;
    check_background(options, function)?;
    if let Some(path) = &options.shared_error
        && shape.result.is_none()
    {
        return Err(Error::new_spanned(path, "`shared_error` is for functions that return a `Result`"));
    }
    if function.receiver().is_some() && options.key.is_none() && options.name.is_none() && options.interop.is_none() {
        let message = format!(
            "`#[cache]` cannot see the type of `self`, and `self` is never part of a key by itself: name the method with \
             `name = \"Type::{0}\"`, or say what identifies a call with `key = \"{{..}}\"`",
            function.signature.ident.unraw()
        );
        return Err(Error::new_spanned(&function.signature.ident, message));
    }
    Ok(())
}

/// Refuses what entries that are shared with other clients have no place for.
fn check_interop(options: &Options) -> syn::Result<()> {
    let Some(operation) = &options.interop else { return Ok(()) };
    let Some(namespace) = &options.namespace else {
        let message = "entries that are shared with other clients need the namespace that these use: add \
                       `namespace = \"..\"`";
        return Err(Error::new(operation.span(), message));
    };
    for (what, text) in [("operation", operation), ("namespace", namespace)] {
        let value = text.value();
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=64).contains(&value.len())
            && value.bytes().next().is_some_and(is_plain)
            && value.bytes().all(|byte| is_plain(byte) || b"._-".contains(&byte))
            && !value.contains("..")
            && (what == "operation" || !matches!(&*value, "ns" | "nsapi" | "t"));
        if !fits {
            let message = format!(
                "with `interop` the {what} is 1 to 64 of the characters a-z 0-9 . _ -, begins with a letter or a digit and \
                 has no \"..\" in it; no namespace is \"ns\", \"nsapi\" or \"t\""
            );
            return Err(Error::new(text.span(), message));
        }
    }
    let refused = [
        (
            options.key.as_ref().map(syn::LitStr::span),
            "key",
            "is made of all arguments, as the other clients do: see `skip`",
        ),
        (options.name.as_ref().map(syn::LitStr::span), "name", "has the operation in its place"),
        (options.stale_for.map(|(span, _)| span), "stale_for", "would have no place in the entry"),
        (
            options.refresh_after.map(|(span, _)| span),
            "refresh_after",
            "would need the age, which the entry does not tell",
        ),
    ];
    match refused.into_iter().find_map(|(span, name, why)| Some((span?, name, why))) {
        Some((span, name, why)) => Err(Error::new(span, format!("with `interop`, `{name}` cannot be said: it {why}"))),
        None => Ok(()),
    }
}

/// Refuses what a body cannot do that runs in its caller, and what it cannot use that runs in a task.
fn check_background(options: &Options, function: &Function) -> syn::Result<()> {
    if let Some((span, age)) = options.refresh_after {
        if options.background.is_none() {
            let message = "`refresh_after` runs the body when its caller has left, so the body must own what it uses: add \
                           `background`";
            return Err(Error::new(span, message));
        }
        if let Ttl::For(ttl) = options.ttl.unwrap_or(Ttl::For(DEFAULT_TTL))
            && age >= ttl
        {
            let message = format!("`refresh_after` must be less than the `ttl`, which is {ttl:?}: it is {age:?}");
            return Err(Error::new(span, message));
        }
    }
    if options.background.is_none() {
        return Ok(());
    }
    if let Some(receiver) = function.receiver()
        && match &receiver.kind {
            syn::ReceiverKind::Reference(_, lifetime, _) => {
                lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static")
            }
            syn::ReceiverKind::Typed(_, ty) => borrows(ty),
            _ => false,
        }
    {
        let message = "with `background` the body runs in a task of its own, which cannot borrow `self`: take \
                       `self: Arc<Self>`, or leave `background` away";
        return Err(Error::new_spanned(receiver, message));
    }
    for argument in function.arguments() {
        if borrows(argument.ty) {
            let message = "with `background` the body runs in a task of its own, which cannot borrow: take an owned type \
                           or an `Arc`, or leave `background` away";
            return Err(Error::new_spanned(argument.ty, message));
        }
    }
    Ok(())
}
