//! `#[derive(IntoKey)]`: the fields, in order.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Path, Result, parse_quote};

pub(crate) fn into_key(input: &DeriveInput) -> Result<TokenStream> {
    let krate = krate(input)?;
    let name = &input.ident;
    let body = match &input.data {
        Data::Struct(data) => {
            let (pattern, write) = fields(&data.fields, &krate);
            quote! { let Self #pattern = self; #write }
        }
        Data::Enum(data) if data.variants.is_empty() => quote! { match *self {} },
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let (ident, text) = (&variant.ident, variant.ident.unraw().to_string());
                let (pattern, write) = fields(&variant.fields, &krate);
                quote! { Self::#ident #pattern => { #krate::KeyWriter::text(__writer, #text); #write } }
            });
            quote! { match self { #(#arms)* } }
        }
        Data::Union(data) => {
            let message = "a union cannot be a key: which of its fields is set is not known; write `IntoKey` by hand, or \
                           use an enum";
            return Err(Error::new(data.union_token.span, message));
        }
    };
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(#krate::IntoKey));
    }
    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::IntoKey for #name #type_generics #where_clause {
            fn write_key(&self, __writer: &mut #krate::KeyWriter) { #body }
        }
    })
}

/// The pattern that binds the fields, and the statements that write them.
fn fields(fields: &Fields, krate: &Path) -> (TokenStream, TokenStream) {
    let names: Vec<_> = (0..fields.len()).map(|number| format_ident!("__field{number}")).collect();
    let members = fields.members();
    let pattern = quote! { { #(#members: #names),* } };
    let write = quote! { #(#krate::IntoKey::write_key(#names, __writer);)* };
    (pattern, write)
}

/// The crate that the expansion names: `::cachekit`, or what `#[cachekit(crate = "..")]` says.
fn krate(input: &DeriveInput) -> Result<Path> {
    let mut krate = parse_quote!(::cachekit);
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("cachekit")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(
                    meta.error("unknown option: `#[derive(IntoKey)]` knows `#[cachekit(crate = \"path\")]` only")
                );
            }
            krate = meta.value()?.parse::<LitStr>()?.parse()?;
            Ok(())
        })?;
    }
    Ok(krate)
}
