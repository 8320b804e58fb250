//! What a cached function returns: decided by how the return type is written.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit::{self, Visit};
use syn::{AngleBracketedGenericArguments, Error, GenericArgument, Ident, Path, PathArguments, Result, Type};

/// `T`, `Arc<T>`, an option of these, or a `Result` of any.
pub(crate) struct Shape {
    /// The type whose values are stored.
    value: Value,
    pub(crate) optional: bool,
    /// The whole return type, if it is a `Result`.
    pub(crate) result: Option<Type>,
    /// Whether the error may borrow, so that it cannot be kept for others.
    pub(crate) borrowed_error: bool,
}

enum Value {
    Owned(Type),
    Shared(Type),
    /// The `Ok` of an alias that does not show it.
    Hidden,
}

impl Shape {
    /// Decides by the last segment of the path: `Result`, `Option`, `Arc`, or anything else.
    ///
    /// `parameters` are the function's own type and constant parameters.
    pub(crate) fn of(output: &Type, parameters: &[&Ident]) -> Result<Self> {
        let (mut shape, stored) = match last_segment(output) {
            Some((name, arguments)) if name == "Result" => {
                let mut types = types(arguments);
                let error = arguments.map(|arguments| &arguments.args).into_iter().flatten().skip(1);
                let mut lifetimes = Borrows(false);
                error.for_each(|error| lifetimes.visit_generic_argument(error));
                let (value, optional) = match types.next() {
                    Some(ok) => plain(ok),
                    None => (Value::Hidden, false),
                };
                let borrowed_error = lifetimes.0;
                (Self { value, optional, result: Some(output.clone()), borrowed_error }, types_first(arguments))
            }
            _ => {
                let (value, optional) = plain(output);
                (Self { value, optional, result: None, borrowed_error: false }, Some(output))
            }
        };
        if let Some(stored) = stored {
            check(stored, parameters)?;
        }
        shape.value = match shape.value {
            Value::Shared(inner) if is_unsized(&inner) => Value::Owned(syn::parse_quote!(::std::sync::Arc<#inner>)),
            value => value,
        };
        Ok(shape)
    }

    /// The type whose values are stored.
    pub(crate) fn value(&self, krate: &Path) -> TokenStream {
        match &self.value {
            Value::Owned(value) | Value::Shared(value) => quote! { #value },
            Value::Hidden => {
                let result = &self.result;
                quote! { <#result as #krate::__private::ResultParts>::Ok }
            }
        }
    }

    /// The type of `cachekit::__private` that stands for what is returned, the `Result` taken off.
    pub(crate) fn plain(&self, krate: &Path) -> TokenStream {
        let value = self.value(krate);
        let one = match &self.value {
            Value::Shared(_) => quote! { #krate::__private::Arced<#value> },
            Value::Owned(_) | Value::Hidden => quote! { #krate::__private::Owned<#value> },
        };
        if self.optional {
            quote! { #krate::__private::Optional<#one> }
        } else {
            one
        }
    }
}

/// What stands under `Option` and `Arc`, and whether there is an `Option`.
fn plain(output: &Type) -> (Value, bool) {
    match one_argument(output, "Option") {
        Some(inner) => (one(inner), true),
        None => (one(output), false),
    }
}

fn one(output: &Type) -> Value {
    match one_argument(output, "Arc") {
        Some(inner) => Value::Shared(inner.clone()),
        None => Value::Owned(output.clone()),
    }
}

fn one_argument<'a>(output: &'a Type, wanted: &str) -> Option<&'a Type> {
    let (name, arguments) = last_segment(output)?;
    if name != wanted { None } else { types(arguments).next() }
}

fn last_segment(output: &Type) -> Option<(&Ident, Option<&AngleBracketedGenericArguments>)> {
    let output = match output {
        Type::Group(group) => &*group.elem,
        Type::Paren(paren) => &*paren.elem,
        output => output,
    };
    let Type::Path(path) = output else { return None };
    let last = path.path.segments.last()?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => Some((&last.ident, Some(arguments))),
        _ => Some((&last.ident, None)),
    }
}

fn types(arguments: Option<&AngleBracketedGenericArguments>) -> impl Iterator<Item = &Type> {
    arguments.map(|arguments| &arguments.args).into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

fn types_first(arguments: Option<&AngleBracketedGenericArguments>) -> Option<&Type> {
    types(arguments).next()
}

/// Whether the type shows that it borrows for less than the whole program.
pub(crate) fn borrows(ty: &Type) -> bool {
    struct Shown(bool);

    impl Visit<'_> for Shown {
        fn visit_lifetime(&mut self, lifetime: &syn::Lifetime) {
            self.0 |= lifetime.ident != "static";
        }

        fn visit_type_reference(&mut self, reference: &syn::TypeReference) {
            self.0 |= reference.lifetime.is_none();
            visit::visit_type_reference(self, reference);
        }
    }

    let mut shown = Shown(false);
    shown.visit_type(ty);
    shown.0
}

/// `str`, slices and trait objects cannot stand in an `Arc` of the cache's, so their `Arc` is the value.
fn is_unsized(value: &Type) -> bool {
    match value {
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Path(path) => path.path.is_ident("str"),
        _ => false,
    }
}

/// Refuses what cannot be kept: what borrows, what differs from call to call, what is nothing.
fn check(stored: &Type, parameters: &[&Ident]) -> Result<()> {
    let fail = |message: &str| Err(Error::new_spanned(stored, message));
    let mut borrows = Borrows(false);
    borrows.visit_type(stored);
    if borrows.0 {
        return fail(
            "a cached value outlives the call, so it cannot be borrowed: return an owned type, as `String` for \
                     `&str`, or an `Arc`",
        );
    }
    let mut unnameable = Unnameable { parameters, found: None };
    unnameable.visit_type(stored);
    match unnameable.found {
        Some(found) if found == "impl" => {
            fail("a cached value needs a type with a name: write it instead of `impl Trait`")
        }
        Some(found) if found == "Self" => fail("write the type instead of `Self`: a cached function needs its name"),
        Some(found) => fail(&format!(
            "the cached type must be the same for all calls, and `{found}` is not: write one cached function for each \
             type, which may call a generic one"
        )),
        None => Ok(()),
    }
}

/// Whether a type has a reference or a lifetime other than `'static` in it.
struct Borrows(bool);

impl Visit<'_> for Borrows {
    fn visit_lifetime(&mut self, lifetime: &syn::Lifetime) {
        self.0 |= lifetime.ident != "static";
    }

    fn visit_type_reference(&mut self, _: &syn::TypeReference) {
        self.0 = true;
    }
}

/// What makes a type none that a `static` can name.
struct Unnameable<'a> {
    parameters: &'a [&'a Ident],
    found: Option<String>,
}

impl Visit<'_> for Unnameable<'_> {
    fn visit_type_impl_trait(&mut self, _: &syn::TypeImplTrait) {
        self.found = Some("impl".to_owned());
    }

    fn visit_path(&mut self, path: &Path) {
        if let Some(first) = path.segments.first()
            && path.leading_colon.is_none()
            && (first.ident == "Self" || self.parameters.contains(&&first.ident))
        {
            self.found = Some(first.ident.to_string());
        }
        visit::visit_path(self, path);
    }
}
