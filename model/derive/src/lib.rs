//! `#[derive(Outputs)]`: a struct defines the outputs of a composite. Each field becomes an output, and its doc comment
//! the documentation.
//!
//! `#[derive(Inputs)]`: a struct defines the inputs of a block.
//!
//! On a struct, each field becomes an input. Its doc comment is the documentation. An input of type
//! `Scalar<…>` is scalar, any other is structural. `#[input(…)]` adds:
//!
//! - `default = LITERAL`: the value of an input that is not set,
//! - `rule = EXPRESSION`: a `tandem_model::input::Rule`,
//! - `unit = EXPRESSION`: a `tandem_model::input::Unit`, the unit of a number,
//! - `replaces = "reason"`: a change replaces the composite,
//! - `sensitive`, `write_only`: Terraform's flags,
//! - `source = EXPRESSION`: a `tandem_model::input::Source`, where facts about the value come from,
//! - `refers = EXPRESSION`: a `tandem_model::input::Reference`, the output of another composite that
//!   this input takes,
//! - `flatten`: the fields of another struct, in place. A doc comment replaces that of the struct's first field,
//!   and `flatten(FIELD(default = LITERAL, doc = LITERAL))` replaces the default or documentation of any field.
//!
//! On an enum of one-field variants, the struct of each variant is one shape of the same block. The
//! first field of each struct identifies the shape.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{
    Attribute, Data, DataStruct, DeriveInput, Expr, Field, Fields, Lit, Meta, Type, parse_macro_input,
};

/// See the crate's documentation.
#[proc_macro_derive(Inputs, attributes(input))]
pub fn inputs(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

fn expand(input: &DeriveInput) -> syn::Result<Tokens> {
    match &input.data {
        Data::Struct(data) => expand_struct(input, &data.fields),
        Data::Enum(data) => expand_enum(input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(input, "only a struct or an enum can have inputs")),
    }
}

/// See the crate's documentation.
#[proc_macro_derive(Outputs)]
pub fn outputs(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand_outputs(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

fn expand_outputs(input: &DeriveInput) -> syn::Result<Tokens> {
    let Data::Struct(DataStruct { fields: Fields::Named(fields), .. }) = &input.data else {
        return Err(syn::Error::new_spanned(input, "outputs need a struct with named fields"));
    };
    let (mut declared, mut values) = (Vec::new(), Vec::new());
    for field in &fields.named {
        let (name, ty, doc) = (field.ident.as_ref().expect("a named field"), &field.ty, docs(&field.attrs));
        if doc.is_empty() {
            return Err(syn::Error::new_spanned(
                field,
                "an output needs a doc comment, which becomes its documentation",
            ));
        }
        let text = name.to_string();
        declared.push(quote! {
            ::tandem_model::composite::Output {
                name: #text,
                doc: #doc,
                map: <#ty as ::tandem_model::composite::OutputValue>::MAP,
            }
        });
        values.push(quote!((#text, ::tandem_model::composite::OutputValue::expr(self.#name))));
    }
    let ident = &input.ident;
    Ok(quote! {
        impl ::tandem_model::composite::Outputs for #ident {
            const DECLARED: &'static [::tandem_model::composite::Output] = &[#(#declared),*];

            fn values(self) -> ::std::collections::BTreeMap<&'static str, ::tandem_model::expr::Expr> {
                ::std::collections::BTreeMap::from([#(#values),*])
            }
        }
    })
}

#[derive(Default)]
struct Options {
    default: Option<Expr>,
    rule: Option<Expr>,
    unit: Option<Expr>,
    replaces: Option<Expr>,
    source: Option<Expr>,
    refers: Option<Expr>,
    only: Option<Expr>,
    fixed: bool,
    sensitive: bool,
    write_only: bool,
    /// The replacements for fields of a flattened struct.
    flatten: Option<Vec<Replacement>>,
}

/// Options of a flattened struct's field that the flattening struct replaces.
struct Replacement {
    field: String,
    default: Option<Expr>,
    doc: Option<Expr>,
}

fn replacements(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<Replacement>> {
    let mut replacements = Vec::new();
    if !meta.input.peek(syn::token::Paren) {
        return Ok(replacements);
    }
    meta.parse_nested_meta(|meta| {
        let field = meta.path.require_ident()?.to_string();
        let mut replacement = Replacement { field, default: None, doc: None };
        meta.parse_nested_meta(|meta| {
            match meta.path.require_ident()?.to_string().as_str() {
                "default" => replacement.default = Some(meta.value()?.parse()?),
                "doc" => replacement.doc = Some(meta.value()?.parse()?),
                _ => return Err(meta.error("a flattening struct replaces only `default` and `doc`")),
            }
            Ok(())
        })?;
        replacements.push(replacement);
        Ok(())
    })?;
    Ok(replacements)
}

fn options(field: &Field) -> syn::Result<Options> {
    let mut options = Options::default();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("input")) {
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            match name.as_str() {
                "default" => options.default = Some(meta.value()?.parse()?),
                "rule" => options.rule = Some(meta.value()?.parse()?),
                "unit" => options.unit = Some(meta.value()?.parse()?),
                "replaces" => options.replaces = Some(meta.value()?.parse()?),
                "source" => options.source = Some(meta.value()?.parse()?),
                "refers" => options.refers = Some(meta.value()?.parse()?),
                "only" => options.only = Some(meta.value()?.parse()?),
                "fixed" => options.fixed = true,
                "sensitive" => options.sensitive = true,
                "write_only" => options.write_only = true,
                "flatten" => options.flatten = Some(replacements(&meta)?),
                _ => return Err(meta.error("unknown option")),
            }
            Ok(())
        })?;
    }
    Ok(options)
}

fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(literal) = &pair.value else { return None };
        let Lit::Str(text) = &literal.lit else { return None };
        pair.path.is_ident("doc").then(|| text.value().trim().to_owned())
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn option_tokens(value: Option<&Expr>) -> Tokens {
    value.map_or_else(|| quote!(None), |value| quote!(Some((#value).into())))
}

fn expand_struct(input: &DeriveInput, fields: &Fields) -> syn::Result<Tokens> {
    let Fields::Named(fields) = fields else {
        return Err(syn::Error::new_spanned(input, "inputs need named fields"));
    };
    let ident = &input.ident;
    let mut declared = Vec::new();
    let mut reads = Vec::new();
    let mut names = Vec::new();
    for field in &fields.named {
        let options = options(field)?;
        let ty = &field.ty;
        let name = field.ident.as_ref().expect("a named field");
        names.push(name);
        let doc = docs(&field.attrs);
        if let Some(replacements) = &options.flatten {
            declared.push(flattened(ty, &doc, replacements));
            reads.push(
                quote!(let #name = <#ty as ::tandem_model::input::Inputs>::read(fields, value, reader);),
            );
            continue;
        }
        if doc.is_empty() {
            return Err(syn::Error::new_spanned(
                field,
                "an input needs a doc comment, which becomes its documentation",
            ));
        }
        let text = name.to_string();
        let text = text.strip_prefix("r#").unwrap_or(&text);
        let (default, rule) = (option_tokens(options.default.as_ref()), option_tokens(options.rule.as_ref()));
        let (replaces, source) =
            (option_tokens(options.replaces.as_ref()), option_tokens(options.source.as_ref()));
        let (refers, unit) = (option_tokens(options.refers.as_ref()), option_tokens(options.unit.as_ref()));
        let only = option_tokens(options.only.as_ref());
        let (fixed, sensitive, write_only) = (options.fixed, options.sensitive, options.write_only);
        declared.push(quote! {
            fields.push(::tandem_model::input::Field {
                name: #text,
                doc: #doc,
                shape: <#ty as ::tandem_model::input::Input>::shape(),
                scalar: <#ty as ::tandem_model::input::Input>::SCALAR,
                required: <#ty as ::tandem_model::input::Input>::REQUIRED,
                default: #default,
                rule: #rule,
                unit: #unit,
                replaces: #replaces,
                source: #source,
                refers: #refers,
                only: #only,
                fixed: #fixed,
                sensitive: #sensitive,
                write_only: #write_only,
            });
        });
        reads.push(quote!(let #name = reader.field::<#ty>(fields, #text, value);));
    }
    Ok(quote! {
        impl ::tandem_model::input::Inputs for #ident {
            fn fields() -> Vec<::tandem_model::input::Field> {
                let mut fields = Vec::new();
                #(#declared)*
                fields
            }

            fn read(
                fields: &[::tandem_model::input::Field],
                value: &::tandem_model::value::Value,
                reader: &mut ::tandem_model::input::Reader,
            ) -> Option<Self> {
                #(#reads)*
                Some(Self { #(#names: #names?),* })
            }
        }

        impl ::tandem_model::input::Input for #ident {
            const SCALAR: bool = false;
            const REQUIRED: bool = true;

            fn shape() -> ::tandem_model::input::Shape {
                ::tandem_model::input::Shape::Block(::tandem_model::input::Body::Fields(
                    <Self as ::tandem_model::input::Inputs>::fields(),
                ))
            }

            fn read(
                value: &::tandem_model::value::Value,
                _field: &::tandem_model::input::Field,
                reader: &mut ::tandem_model::input::Reader,
            ) -> Option<Self> {
                let fields = <Self as ::tandem_model::input::Inputs>::fields();
                reader.block(value, &fields)?;
                <Self as ::tandem_model::input::Inputs>::read(&fields, value, reader)
            }
        }
    })
}

/// Declares the fields of a flattened struct.
fn flattened(ty: &Type, doc: &str, replacements: &[Replacement]) -> Tokens {
    let first = (!doc.is_empty()).then(|| quote!(flattened[0].doc = #doc;));
    let others = replacements.iter().map(|Replacement { field, default, doc }| {
        let default = default.as_ref().map(|default| quote!(field.default = Some((#default).into());));
        let doc = doc.as_ref().map(|doc| quote!(field.doc = #doc;));
        quote! {
            let field = flattened.iter_mut().find(|field| field.name == #field);
            let field = field.expect("a field of the flattened struct");
            #default
            #doc
        }
    });
    quote! {
        let mut flattened = <#ty as ::tandem_model::input::Inputs>::fields();
        #first
        #(#others)*
        fields.extend(flattened);
    }
}

fn expand_enum(input: &DeriveInput, data: &syn::DataEnum) -> syn::Result<Tokens> {
    let ident = &input.ident;
    let mut variants = Vec::new();
    let mut arms = Vec::new();
    for (index, variant) in data.variants.iter().enumerate() {
        let Fields::Unnamed(fields) = &variant.fields else {
            return Err(syn::Error::new_spanned(
                variant,
                "a variant needs exactly one field: a struct of inputs",
            ));
        };
        let ty = &fields.unnamed.first().expect("a field").ty;
        let name = &variant.ident;
        let doc = docs(&variant.attrs);
        variants.push(quote! {
            ::tandem_model::input::Variant {
                doc: #doc,
                fields: <#ty as ::tandem_model::input::Inputs>::fields(),
            }
        });
        arms.push(
            quote!(#index => <#ty as ::tandem_model::input::Inputs>::read(fields, value, reader).map(Self::#name),),
        );
    }
    Ok(quote! {
        impl ::tandem_model::input::Input for #ident {
            const SCALAR: bool = false;
            const REQUIRED: bool = true;

            fn shape() -> ::tandem_model::input::Shape {
                ::tandem_model::input::Shape::Block(::tandem_model::input::Body::Choice(vec![#(#variants),*]))
            }

            fn read(
                value: &::tandem_model::value::Value,
                _field: &::tandem_model::input::Field,
                reader: &mut ::tandem_model::input::Reader,
            ) -> Option<Self> {
                let variants = [#(#variants),*];
                let index = reader.choice(value, &variants)?;
                let fields = &variants[index].fields;
                match index {
                    #(#arms)*
                    _ => None,
                }
            }
        }
    })
}
