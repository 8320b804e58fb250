//! The function under `#[cache]`: what its signature tells, and what is refused.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Block, Error, FnArg, GenericArgument, GenericParam, Ident, Pat, PathArguments, Receiver, Result,
    ReturnType, Safety, Signature, Token, Type, TypeParamBound, Visibility,
};

pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) body: Block,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let elsewhere = |error: Error| {
            Error::new(error.span(), "`#[cache]` stands on an async function or method: `async fn name(..) -> ..`")
        };
        let signature: Signature = input.parse().map_err(elsewhere)?;
        if input.peek(Token![;]) {
            let message = "`#[cache]` needs the body: put it on the method in the `impl`, not on its declaration";
            return Err(Error::new_spanned(&signature.ident, message));
        }
        Ok(Self { attributes, visibility, signature, body: input.parse()? })
    }
}

/// An argument other than `self`.
pub(crate) struct Argument<'a> {
    pub(crate) pattern: &'a Pat,
    pub(crate) ty: &'a Type,
}

impl Argument<'_> {
    /// Its name, if it is not taken apart where it is declared.
    pub(crate) fn name(&self) -> Option<&Ident> {
        match self.pattern {
            Pat::Ident(pattern) if pattern.subpat.is_none() => Some(&pattern.ident),
            _ => None,
        }
    }

    /// The names that it binds.
    pub(crate) fn names(&self) -> Vec<&Ident> {
        struct Names<'a>(Vec<&'a Ident>);
        impl<'a> syn::visit::Visit<'a> for Names<'a> {
            fn visit_pat_ident(&mut self, pattern: &'a syn::PatIdent) {
                self.0.push(&pattern.ident);
                syn::visit::visit_pat_ident(self, pattern);
            }
        }
        let mut names = Names(Vec::new());
        syn::visit::Visit::visit_pat(&mut names, self.pattern);
        names.0
    }
}

impl Function {
    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.signature.receiver()
    }

    pub(crate) fn arguments(&self) -> impl Iterator<Item = Argument<'_>> {
        self.signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(Argument { pattern: &typed.pat, ty: &typed.ty }),
            FnArg::Receiver(_) => None,
        })
    }

    /// The function's own type and constant parameters.
    pub(crate) fn parameters(&self) -> Vec<&Ident> {
        let parameters = self.signature.generics.params.iter().filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(parameter) => Some(&parameter.ident),
            GenericParam::Lifetime(_) => None,
        });
        parameters.collect()
    }

    /// Whether the function returns its future boxed and pinned, as `#[async_trait]` makes it.
    pub(crate) fn is_boxed(&self) -> bool {
        self.signature.asyncness.is_none()
    }

    /// What the function, or its future, yields.
    pub(crate) fn output(&self) -> Result<&Type> {
        let nothing = || {
            let message = "the function returns nothing, so there is nothing to cache: return the value";
            Error::new_spanned(&self.signature.ident, message)
        };
        let ReturnType::Type(_, output) = &self.signature.output else { return Err(nothing()) };
        let output = if self.is_boxed() { boxed_output(output).ok_or_else(|| self.not_async())? } else { output };
        match output {
            Type::Tuple(tuple) if tuple.elems.is_empty() => Err(nothing()),
            Type::Never(_) => Err(nothing()),
            output => Ok(output),
        }
    }

    /// Refuses the signatures that cannot be cached.
    pub(crate) fn check(&self) -> Result<()> {
        let signature = &self.signature;
        if let Some(word) = &signature.constness {
            return Err(Error::new(word.span, "a `const fn` cannot be cached: write `async fn`"));
        }
        if let Safety::Unsafe(word) = &signature.safety {
            let message = "an `unsafe fn` cannot be cached, for a hit would not run its checks: cache a safe function that \
                           calls it";
            return Err(Error::new(word.span, message));
        }
        if let Some(abi) = &signature.abi {
            return Err(Error::new_spanned(abi, "an `extern` function cannot be cached: cache one that calls it"));
        }
        self.output()?;
        if let Some(receiver) = self.receiver()
            && let syn::ReceiverKind::Reference(_, _, Some(word)) = &receiver.kind
        {
            let message = "`&mut self` promises a change that a hit would not make: take `&self`, or cache a part of the \
                           function that only reads";
            return Err(Error::new(word.span, message));
        }
        for argument in self.arguments() {
            if let Type::Reference(reference) = argument.ty
                && reference.mutability.is_some()
            {
                let message = "a `&mut` argument is for a change that a hit would not make: cache a part of the function \
                               that only reads";
                return Err(Error::new_spanned(reference, message));
            }
        }
        Ok(())
    }

    /// Refuses type and constant parameters that neither an argument nor, as a constant, the key shows.
    pub(crate) fn check_parameters(&self, in_key: &[&Ident]) -> Result<()> {
        let types: TokenStream = self.arguments().map(|argument| argument.ty.to_token_stream()).collect();
        for parameter in self.parameters() {
            if !mentions(types.clone(), parameter) && !in_key.contains(&parameter) {
                let message = format!(
                    "`{parameter}` shows in no argument, so calls that differ in it alone would share an entry: write \
                     one cached function for each `{parameter}`, which may call a generic one"
                );
                return Err(Error::new(parameter.span(), message));
            }
        }
        Ok(())
    }

    fn not_async(&self) -> Error {
        let message = format!(
            "`#[cache]` caches async functions: write `async fn {}`, or return `Pin<Box<dyn Future<Output = ..>>>`",
            self.signature.ident
        );
        Error::new_spanned(self.signature.fn_token, message)
    }
}

/// `T` of `Pin<Box<dyn Future<Output = T>>>`.
fn boxed_output(output: &Type) -> Option<&Type> {
    let boxed = argument_of(output, "Pin")?;
    let Type::TraitObject(future) = argument_of(boxed, "Box")? else { return None };
    future.bounds.iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else { return None };
        let last = bound.path.segments.last().filter(|last| last.ident == "Future")?;
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
            _ => None,
        })
    })
}

fn argument_of<'a>(output: &'a Type, wanted: &str) -> Option<&'a Type> {
    let Type::Path(path) = output else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == wanted)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// Whether the name occurs in the tokens.
pub(crate) fn mentions(tokens: TokenStream, name: &Ident) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == *name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}
