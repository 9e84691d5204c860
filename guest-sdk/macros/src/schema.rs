//! `#[derive(Schema)]`: writes the body of a type's JSON Schema as pieces of
//! text and references to the shapes of its fields. Enums are in `variants`.

use crate::body::{Body, Form, shape_of};
use crate::case::Case;
use crate::json;
use crate::serde_attrs::Attrs;
use crate::variants;
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Field, Fields, Result, Type, parse_quote};

pub(crate) fn expand(item: &DeriveInput) -> Result<TokenStream> {
    let attrs = Attrs::read(&item.attrs)?;
    let form = match (&attrs.from, &item.data) {
        (Some(from), _) => Form::Same(from.clone()),
        (None, Data::Struct(data)) => fields(&data.fields, &attrs, attrs.rename_all, None)?,
        (None, Data::Enum(data)) => variants::form(data, &attrs)?,
        (None, Data::Union(data)) => {
            return Err(Error::new(
                data.union_token.span,
                "a union has no JSON: derive `Schema` for structs and enums",
            ));
        }
    };

    let mut generics = item.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::wasmhost::Schema));
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let (name, shape) = (&item.ident, form.shape(&json::doc(&item.attrs)));
    Ok(quote! {
        impl #parameters ::wasmhost::Schema for #name #arguments #bounds {
            const SHAPE: ::wasmhost::schema::Shape = #shape;
        }
    })
}

/// The name of an internally tagged enum's tag, and its value.
pub(crate) type Tag<'a> = (&'a str, &'a str);

/// The form of a struct's or a variant's fields.
pub(crate) fn fields(
    fields: &Fields,
    container: &Attrs,
    case: Option<Case>,
    tag: Option<Tag<'_>>,
) -> Result<Form> {
    match fields {
        Fields::Named(named) => {
            let fields: Vec<&Field> = named.named.iter().collect();
            if let ([only], true) = (fields.as_slice(), container.transparent) {
                return Ok(Form::Same(only.ty.clone()));
            }
            Ok(object(&fields, container, case, tag)?.into())
        }
        Fields::Unnamed(unnamed) => {
            let fields: Vec<&Field> = unnamed.unnamed.iter().collect();
            match (fields.as_slice(), tag) {
                ([only], None) => Ok(match Attrs::read(&only.attrs)?.any {
                    true => Body::default().into(),
                    false => Form::Same(only.ty.clone()),
                }),
                ([only], Some(_)) => {
                    let tagged = object(&[], container, case, tag)?;
                    let shape = shape_of(&only.ty, false);
                    Ok(tagged.text(",\"allOf\":[").sub("", shape).text("]").into())
                }
                (several, _) => Ok(tuple(several)?.into()),
            }
        }
        Fields::Unit => match tag {
            Some(_) => Ok(object(&[], container, case, tag)?.into()),
            None => Ok(Body::default().text("\"type\":\"null\"").into()),
        },
    }
}

fn tuple(fields: &[&Field]) -> Result<Body> {
    let n = fields.len();
    let mut body = Body::default().text(format!(
        "\"type\":\"array\",\"minItems\":{n},\"maxItems\":{n},\"prefixItems\":["
    ));
    for (at, field) in fields.iter().enumerate() {
        let any = Attrs::read(&field.attrs)?.any;
        body = body
            .text(if at > 0 { "," } else { "" })
            .sub(&json::doc(&field.attrs), shape_of(&field.ty, any));
    }
    Ok(body.text("]"))
}

fn object(
    fields: &[&Field],
    container: &Attrs,
    case: Option<Case>,
    tag: Option<Tag<'_>>,
) -> Result<Body> {
    let mut body = Body::default().text("\"type\":\"object\",\"properties\":{");
    let mut required = Vec::new();
    let mut flat = Vec::new();
    let mut first = true;
    if let Some((key, value)) = tag {
        let (key, value) = (json::string(key), json::string(value));
        body = body.text(format!("{key}:{{\"const\":{value}}}"));
        required.push(key);
        first = false;
    }
    for field in fields {
        let attrs = Attrs::read(&field.attrs)?;
        if attrs.skip {
            continue;
        }
        if attrs.flatten {
            // A flattened map takes whatever is left, which is the default.
            if !attrs.any && !is(&field.ty, &["HashMap", "BTreeMap"]) {
                flat.push(&field.ty);
            }
            continue;
        }
        let ident = field.ident.as_ref().map(|ident| ident.unraw().to_string());
        let ident = ident.unwrap_or_default();
        let key = json::string(&match (attrs.rename, case) {
            (Some(name), _) => name,
            (None, Some(case)) => case.field(&ident),
            (None, None) => ident,
        });
        body = body
            .text(if first { "" } else { "," })
            .text(format!("{key}:"))
            .sub(&json::doc(&field.attrs), shape_of(&field.ty, attrs.any));
        first = false;
        if !attrs.default && !container.default && !is(&field.ty, &["Option"]) {
            required.push(key);
        }
    }
    body = body.text("}");
    if !required.is_empty() {
        body = body.text(format!(",\"required\":[{}]", required.join(",")));
    }
    if container.deny_unknown_fields {
        body = body.text(",\"additionalProperties\":false");
    }
    for (at, ty) in flat.iter().enumerate() {
        body = body
            .text(if at == 0 { ",\"allOf\":[" } else { "," })
            .sub("", shape_of(ty, false));
    }
    Ok(body.text(if flat.is_empty() { "" } else { "]" }))
}

/// Whether a type is written as one of these, whatever path leads there.
fn is(ty: &Type, names: &[&str]) -> bool {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|last| names.iter().any(|name| last.ident == name)),
        _ => false,
    }
}
