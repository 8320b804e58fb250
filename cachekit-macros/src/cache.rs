//! `#[cache]`: a look-up before the body, and the body as the loader.

mod checks;
mod function;
mod options;
mod shape;
mod template;
mod time;

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Block, Error, FnArg, GenericParam, ReturnType, Token, Type, WherePredicate};

use self::checks::check_options;
use self::function::{Function, mentions};
use self::options::Options;
use self::shape::Shape;
use self::template::Part;
use self::time::{Ttl, expand_limit};

/// The expansion. Where it is refused the function stays as it was, so that the refusal is the only error.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = syn::parse2(item.clone()).and_then(|function| {
        let options = syn::parse2(options)?;
        Cached::new(&options, &function)?.expand()
    });
    expanded.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote! { #error #item }
    })
}

/// A function that can be cached, with all that was found out about it.
struct Cached<'a> {
    options: &'a Options,
    function: &'a Function,
    output: &'a Type,
    shape: Shape,
    parts: Vec<Part>,
}

impl<'a> Cached<'a> {
    fn new(options: &'a Options, function: &'a Function) -> syn::Result<Self> {
        function.check()?;
        let output = function.output()?;
        let shape = Shape::of(output, &function.parameters())?;
        check_options(options, function, &shape)?;
        let parts = parts(options, function)?;
        let in_key: Vec<_> = parts.iter().filter_map(Part::root).collect();
        function.check_parameters(&in_key)?;
        Ok(Self { options, function, output, shape, parts })
    }

    fn expand(&self) -> syn::Result<TokenStream> {
        let Function { attributes, visibility, signature, .. } = self.function;
        let body = if self.function.is_boxed() { self.boxed_body() } else { self.body(self.loader()) };
        let twin = self.options.invalidate.as_ref().map(|name| self.twin(name)).transpose()?;
        Ok(quote! {
            #(#attributes)* #visibility #signature { #body }
            #twin
        })
    }

    /// The look-up, and the load where it found nothing.
    fn body(&self, loader: TokenStream) -> TokenStream {
        let krate = &self.options.krate;
        let [found, missing] = ["found", "missing"].map(|name| Ident::new(name, Span::mixed_site()));
        let enter = self.enter("enter");
        let plain = self.shape.plain(krate);
        let (load, load_result) = match self.options.background {
            // What the body cannot do, it is told where `background` stands.
            Some(span) => (Ident::new("spawn", span), Ident::new("spawn_result", span)),
            None => (Ident::new("load", Span::mixed_site()), Ident::new("load_result", Span::mixed_site())),
        };
        let (hit, load) = match &self.shape.result {
            Some(result) => {
                let (sharing, refusal) = (self.sharing(), self.refusal());
                (
                    quote! { #krate::__private::ResultParts::from_result(::core::result::Result::Ok(#found)) },
                    quote! { #missing.#load_result::<#plain, #result>(#loader, #sharing, #refusal).await },
                )
            }
            None => (quote! { #found }, quote! { #missing.#load::<#plain>(#loader).await }),
        };
        quote! {
            let #missing = match #enter {
                #krate::__private::Entered::Found(#found) => return #hit,
                #krate::__private::Entered::Missing(#missing) => #missing,
            };
            #load
        }
    }

    /// A body that pins a future in a box does so around the look-up, too.
    fn boxed_body(&self) -> TokenStream {
        let (body, ReturnType::Type(_, boxed)) = (&self.function.body, &self.function.signature.output) else {
            return TokenStream::new();
        };
        // A closure, so that a `return` in the body is the body's.
        let inner = self.body(quote! { async move { (move || -> #boxed #body)().await } });
        quote! { ::std::boxed::Box::pin(async move { #inner }) }
    }

    /// The original body as a future.
    fn loader(&self) -> TokenStream {
        let (output, Block { stmts, .. }) = (self.output, &self.function.body);
        let output = quote_spanned! { output.span()=> #output };
        let ret = Ident::new("ret", Span::mixed_site());
        quote! {
            async move {
                // Tells the compiler what the block yields, which `?` and `return` in the body need.
                if let ::core::option::Option::Some(#ret) = ::core::option::Option::None::<#output> {
                    #[allow(unreachable_code, reason = "for bodies that never end")]
                    return #ret;
                }
                #(#stmts)*
            }
        }
    }

    /// An expression: the site of the function, asked to `act` on the entry that the arguments name.
    fn enter(&self, act: &str) -> TokenStream {
        let Options { ttl, none_ttl, load_timeout, lock_timeout, timeout, cache, krate, .. } = self.options;
        let refresh_after = expand_limit(self.options.refresh_after.map(|(_, age)| age));
        let stale_for = expand_limit(self.options.stale_for.map(|(_, time)| time));
        let writer = Ident::new("writer", Span::mixed_site());
        let (value, plain) = (self.shape.value(krate), self.shape.plain(krate));
        let function = self.function.signature.ident.unraw().to_string();
        let text = |text: &Option<syn::LitStr>| match text {
            Some(text) => quote! { ::core::option::Option::Some(#text) },
            None => quote! { ::core::option::Option::None },
        };
        let (namespace, name) = (text(&self.options.namespace), text(&self.options.name));
        let interop = text(&self.options.interop);
        // In a namespace of the user's own, other functions may live: without a key of the user's own, the name parts
        // them.
        let named = self.options.namespace.is_some() && self.options.key.is_none() && self.options.interop.is_none();
        let ttl = ttl.unwrap_or(Ttl::For(DEFAULT_TTL)).expand(krate);
        let none_ttl = match none_ttl {
            Some((_, ttl)) => {
                let ttl = ttl.expand(krate);
                quote! { ::core::option::Option::Some(#ttl) }
            }
            None => quote! { ::core::option::Option::None },
        };
        let load_timeout = expand_limit(load_timeout.map(|(_, limit)| limit));
        let (lock_timeout, timeout) = (expand_limit(*lock_timeout), expand_limit(*timeout));
        let source = match cache {
            Some(cache) => {
                let span = cache.span();
                quote_spanned! { span=> #krate::__private::Given(&(#cache)) }
            }
            None => quote! { #krate::__private::Current },
        };
        let shared = self.options.interop.is_some();
        let parts = self.parts.iter().map(|part| match part {
            Part::Value { root, expression } if shared => {
                quote_spanned! { root.span()=> #krate::interop::ArgWriter::argument(#writer, &#expression); }
            }
            Part::Text(text) => quote! { #krate::KeyWriter::text(#writer, #text); },
            Part::Value { root, expression } => {
                quote_spanned! { root.span()=> #krate::IntoKey::write_key(&#expression, #writer); }
            }
        });
        let (act, key) = if shared {
            let (act, count) = (Ident::new(&format!("{act}_interop"), Span::mixed_site()), self.parts.len());
            (act, quote! { #count, |#writer: &mut #krate::interop::ArgWriter| { #(#parts)* } })
        } else {
            (Ident::new(act, Span::mixed_site()), quote! { |#writer: &mut #krate::KeyWriter| { #(#parts)* } })
        };
        let alias = match &self.shape.result {
            Some(_) => TokenStream::new(),
            // Under another name a `Result` would be cached with its error.
            None => {
                let output = self.output;
                let message = "`#[cache]` does not see that this type is a `Result`: write it as `Result<.., ..>`";
                quote_spanned! { output.span()=>
                    const _: () = {
                        use #krate::__private::IsNoResult as _;
                        ::core::assert!(!#krate::__private::Probe::<#value>::IS_RESULT, #message);
                    };
                }
            }
        };
        quote! {{
            #alias
            struct __CachekitHere;
            static __CACHEKIT_SITE: #krate::__private::Site<#value> =
                #krate::__private::Site::new(#krate::__private::SiteOptions {
                    function: #function,
                    namespace: #namespace,
                    name: #name,
                    named: #named,
                    ttl: #ttl,
                    none_ttl: #none_ttl,
                    load_timeout: #load_timeout,
                    lock_timeout: #lock_timeout,
                    timeout: #timeout,
                    refresh_after: #refresh_after,
                    stale_for: #stale_for,
                    interop: #interop,
                });
            __CACHEKIT_SITE.#act::<__CachekitHere, #plain, _>(#source, #key)
        }}
    }

    /// How an error of the loader is handed to those who waited for it.
    fn sharing(&self) -> TokenStream {
        let Options { shared_error, krate, .. } = self.options;
        let result = &self.shape.result;
        let error = quote! { <#result as #krate::__private::ResultParts>::Error };
        if let Some(path) = shared_error {
            return quote_spanned! { path.span()=> #krate::__private::Sharing::<#error>::with(#path) };
        }
        if self.shape.borrowed_error {
            return quote! { #krate::__private::Sharing::<#error>::alone() };
        }
        quote! {{
            use #krate::__private::{ShareByClone as _, ShareByKind as _, ShareNot as _};
            (&&&#krate::__private::Probe::<#error>::new()).sharing()
        }}
    }

    /// How an error of the cache's becomes one of the function's, if it can.
    fn refusal(&self) -> TokenStream {
        let krate = &self.options.krate;
        let result = &self.shape.result;
        let error = quote! { <#result as #krate::__private::ResultParts>::Error };
        let required = self.options.load_timeout.map(|(span, _)| {
            quote_spanned! { span=> #krate::__private::requires_from_error::<#error>(); }
        });
        quote! {{
            #required
            use #krate::__private::{FromError as _, FromErrorNot as _};
            (&&#krate::__private::Probe::<#error>::new()).conversion()
        }}
    }

    /// The function that invalidates the entry of the same arguments.
    fn twin(&self, name: &Ident) -> syn::Result<TokenStream> {
        if self.function.is_boxed() {
            let message = "an `impl` of a trait has no room for the twin: put `#[cache(invalidate = ..)]` on an inherent \
                           method that the trait's method calls";
            return Err(Error::new(name.span(), message));
        }
        let Function { visibility, signature, attributes, .. } = self.function;
        let krate = &self.options.krate;
        let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        let cache = self.options.cache.to_token_stream();
        let kept = |input: &&FnArg| match input {
            FnArg::Receiver(_) => true,
            FnArg::Typed(typed) => match &*typed.pat {
                syn::Pat::Ident(pattern) => {
                    !self.options.skip.contains(&pattern.ident) || mentions(cache.clone(), &pattern.ident)
                }
                _ => true,
            },
        };
        let mut signature = signature.clone();
        signature.inputs = signature.inputs.iter().filter(kept).cloned().map(without_mut).collect();
        keep_generics(&mut signature);
        let doc = format!("Invalidates what `{}` has cached for these arguments.", signature.ident);
        signature.ident = name.clone();
        signature.output = syn::parse_quote!(-> #krate::__private::Invalidation);
        let enter = self.enter("outdated");
        Ok(quote! {
            #(#conditions)*
            #[doc = #doc]
            #[allow(unused_variables, reason = "an argument may stand outside the key")]
            #visibility #signature { #enter.invalidate().await }
        })
    }
}

/// An entry lives so long where nothing else is said.
const DEFAULT_TTL: Duration = Duration::from_secs(300);

/// The parts of the key: those of `key`, or all arguments that are not skipped, in order.
fn parts(options: &Options, function: &Function) -> syn::Result<Vec<Part>> {
    if let Some(key) = &options.key {
        let parts = template::parse(key)?;
        let mut known: Vec<Ident> = function
            .arguments()
            .flat_map(|argument| argument.names().into_iter().cloned().collect::<Vec<_>>())
            .collect();
        known.extend(function.signature.generics.const_params().map(|parameter| parameter.ident.clone()));
        for part in &parts {
            match part {
                Part::Value { root, .. } if root == "self" => {
                    if function.receiver().is_none() {
                        return Err(Error::new(root.span(), "there is no `self` here"));
                    }
                }
                Part::Value { root, .. } if !known.contains(root) => {
                    return Err(Error::new(root.span(), no_argument(root, &known)));
                }
                Part::Value { .. } | Part::Text(_) => {}
            }
        }
        return Ok(parts);
    }
    let mut parts = Vec::new();
    for argument in function.arguments() {
        match argument.name() {
            Some(name) if options.skip.contains(name) => {}
            Some(name) => parts.push(Part::Value { root: spanned(name, argument.ty), expression: quote!(#name) }),
            None => {
                let names = argument.names();
                if !names.is_empty() && names.iter().all(|name| options.skip.contains(name)) {
                    continue;
                }
                let message = "an argument that is taken apart has no name to be part of the key: write `name: Type` and \
                               take it apart in the body, or say what identifies a call with `key = \"{..}\"`";
                return Err(Error::new_spanned(argument.pattern, message));
            }
        }
    }
    Ok(parts)
}

/// The name, pointing at the type: what is wrong with an argument as a key is wrong with its type.
fn spanned(name: &Ident, ty: &Type) -> Ident {
    Ident::new("argument", name.span().join(ty.span()).unwrap_or_else(|| ty.span()))
}

fn no_argument(name: &Ident, known: &[Ident]) -> String {
    let known: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
    match known.as_slice() {
        [] => format!("there is no argument `{name}`: the function has none"),
        known => format!("there is no argument `{name}`: there are {}", known.join(", ")),
    }
}

/// An argument as the twin takes it: it changes nothing.
fn without_mut(mut input: FnArg) -> FnArg {
    match &mut input {
        FnArg::Receiver(receiver) => receiver.mutability = None,
        FnArg::Typed(typed) => {
            if let syn::Pat::Ident(pattern) = &mut *typed.pat {
                pattern.mutability = None;
            }
        }
    }
    input
}

/// Drops type and constant parameters that no argument shows, for nothing could tell what they are.
fn keep_generics(signature: &mut syn::Signature) {
    let inputs = signature.inputs.to_token_stream();
    let (kept, dropped): (Vec<_>, Vec<_>) =
        std::mem::take(&mut signature.generics.params).into_iter().partition(|parameter| match parameter {
            GenericParam::Type(parameter) => mentions(inputs.clone(), &parameter.ident),
            GenericParam::Const(parameter) => mentions(inputs.clone(), &parameter.ident),
            GenericParam::Lifetime(_) => true,
        });
    signature.generics.params = kept.into_iter().collect();
    let Some(conditions) = &mut signature.generics.where_clause else { return };
    let about_kept = |condition: &WherePredicate| {
        !dropped.iter().any(|parameter| match parameter {
            GenericParam::Type(parameter) => mentions(condition.to_token_stream(), &parameter.ident),
            GenericParam::Const(parameter) => mentions(condition.to_token_stream(), &parameter.ident),
            GenericParam::Lifetime(_) => false,
        })
    };
    let predicates = std::mem::take(&mut conditions.predicates);
    conditions.predicates = predicates.into_iter().filter(about_kept).collect::<Punctuated<_, Token![,]>>();
}
