//! `#[derive(InteropArg)]`: a struct as a map, an enum as its value.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Ident, LitStr, Path, Result, parse_quote};

pub(crate) fn interop_arg(input: &DeriveInput) -> Result<TokenStream> {
    let on_type = Said::of(&input.attrs, &["crate", "integer"])?;
    let krate = on_type.krate.clone().unwrap_or_else(|| parse_quote!(::cachekit));
    let name = &input.ident;
    let body = match &input.data {
        Data::Struct(data) => {
            if let Some(span) = on_type.integer {
                return Err(Error::new(span, "`integer` is for enums, whose variants have numbers"));
            }
            of_struct(name, &data.fields, &krate)?
        }
        Data::Enum(data) if data.variants.is_empty() => quote! { match *self {} },
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                if !matches!(variant.fields, Fields::Unit) {
                    let message = "a variant with fields has no value that Python's `Enum` would have: write `InteropArg` by \
                                   hand, or use a struct";
                    return Err(Error::new_spanned(&variant.fields, message));
                }
                let (ident, said) = (&variant.ident, Said::of(&variant.attrs, &["rename"])?);
                if on_type.integer.is_some() {
                    return match said.rename {
                        Some(text) => Err(Error::new(text.span(), "with `integer` the variant is its number")),
                        None => Ok(quote! { Self::#ident => #krate::interop::ArgWriter::signed(__writer, Self::#ident as i128), }),
                    };
                }
                let text = said.name_of(ident);
                Ok(quote! { Self::#ident => #krate::interop::ArgWriter::text(__writer, #text), })
            });
            let arms = arms.collect::<Result<Vec<_>>>()?;
            quote! { match self { #(#arms)* } }
        }
        Data::Union(data) => {
            let message = "a union cannot be an argument: which of its fields is set is not known";
            return Err(Error::new(data.union_token.span, message));
        }
    };
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#krate::interop::InteropArg));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::interop::InteropArg for #name #type_generics #where_clause {
            fn write_arg(&self, __writer: &mut #krate::interop::ArgWriter) { #body }
        }
    })
}

fn of_struct(name: &Ident, fields: &Fields, krate: &Path) -> Result<TokenStream> {
    let bound: Vec<_> = (0..fields.len()).map(|number| format_ident!("__field{number}")).collect();
    let members = fields.members();
    let pattern = quote! { let Self { #(#members: #bound),* } = self; };
    let write = match fields {
        Fields::Named(named) => {
            let names = named.named.iter().map(|field| {
                let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "a field without a name"))?;
                Ok(Said::of(&field.attrs, &["rename"])?.name_of(ident))
            });
            let names = names.collect::<Result<Vec<_>>>()?;
            let twice = (1..names.len()).find(|&at| names[..at].iter().any(|name| name.value() == names[at].value()));
            if let Some(at) = twice {
                return Err(Error::new(names[at].span(), "a name of another field: a map has each key once"));
            }
            quote! {
                #krate::interop::ArgWriter::map(__writer, |__map| {
                    #(#krate::interop::MapWriter::entry(__map, #names, #bound);)*
                });
            }
        }
        Fields::Unnamed(unnamed) => {
            for field in &unnamed.unnamed {
                Said::of(&field.attrs, &[])?;
            }
            let write = quote! { #(#krate::interop::InteropArg::write_arg(#bound, __writer);)* };
            match bound.len() {
                1 => write,
                length => quote! { #krate::interop::ArgWriter::array(__writer, #length, |__writer| { #write }); },
            }
        }
        Fields::Unit => {
            let message = "a struct without fields is no argument: there is nothing to write";
            return Err(Error::new_spanned(name, message));
        }
    };
    Ok(quote! { #pattern #write })
}

/// What `#[interop(..)]` says.
#[derive(Default)]
struct Said {
    krate: Option<Path>,
    rename: Option<LitStr>,
    integer: Option<Span>,
}

impl Said {
    /// What it says where only `known` can be said.
    fn of(attributes: &[Attribute], known: &[&str]) -> Result<Self> {
        let mut said = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("interop")) {
            attribute.parse_nested_meta(|meta| {
                let option = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match option.as_str() {
                    option if !known.contains(&option) => {
                        let known: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
                        let there = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                        return Err(meta.error(format!("unknown option of `interop`: here {there} can be said")));
                    }
                    "crate" => said.krate = Some(meta.value()?.parse::<LitStr>()?.parse()?),
                    "rename" => said.rename = Some(meta.value()?.parse()?),
                    _ => said.integer = Some(meta.path.get_ident().map_or_else(Span::call_site, Ident::span)),
                }
                Ok(())
            })?;
        }
        Ok(said)
    }

    fn name_of(&self, ident: &Ident) -> LitStr {
        self.rename.clone().unwrap_or_else(|| LitStr::new(&ident.unraw().to_string(), ident.span()))
    }
}
