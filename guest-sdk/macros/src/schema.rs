//! `#[derive(Schema)]`: writes the body of a type's JSON Schema as pieces of
//! text and references to the shapes of its fields.

use crate::json;
use crate::serde_attrs::Attrs;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Field, Fields, Result, Type, Variant, parse_quote};

pub(crate) fn expand(item: &DeriveInput) -> Result<TokenStream> {
    let attrs = Attrs::read(&item.attrs)?;
    let body = match (&attrs.from, &item.data) {
        (Some(from), _) => Body::Same(from.clone()),
        (None, Data::Struct(data)) => fields(&data.fields, &attrs, attrs.rename_all, None)?,
        (None, Data::Enum(data)) => {
            let variants: Vec<&Variant> = data.variants.iter().collect();
            variants_body(&variants, &attrs)?
        }
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
    let (name, shape) = (&item.ident, body.shape(&json::doc(&item.attrs)));
    Ok(quote! {
        impl #parameters ::wasmhost::Schema for #name #arguments #bounds {
            const SHAPE: ::wasmhost::schema::Shape = #shape;
        }
    })
}

/// The members of a schema object.
enum Body {
    /// Put together from pieces.
    Pieces(Vec<TokenStream>),
    /// Those of another type.
    Same(Type),
}

impl Default for Body {
    fn default() -> Body {
        Body::Pieces(Vec::new())
    }
}

impl Body {
    fn text(self, text: impl AsRef<str>) -> Body {
        let text = text.as_ref();
        match text.is_empty() {
            true => self,
            false => self.piece(quote!(::wasmhost::schema::Piece::Text(#text))),
        }
    }

    fn sub(self, doc: &str, shape: impl ToTokens) -> Body {
        self.piece(quote!(::wasmhost::schema::Piece::Sub(#doc, #shape)))
    }

    fn piece(self, piece: TokenStream) -> Body {
        let mut pieces = match self {
            Body::Pieces(pieces) => pieces,
            // Another type's members are not ours to add to.
            Body::Same(ty) => {
                let shape = shape(&ty, false);
                vec![
                    quote!(::wasmhost::schema::Piece::Text("\"allOf\":[")),
                    quote!(::wasmhost::schema::Piece::Sub("", #shape)),
                    quote!(::wasmhost::schema::Piece::Text("]")),
                ]
            }
        };
        pieces.push(piece);
        Body::Pieces(pieces)
    }

    /// The whole shape.
    fn shape(&self, doc: &str) -> TokenStream {
        match self {
            Body::Pieces(pieces) => quote! {
                ::wasmhost::schema::Shape { doc: #doc, body: &[#(#pieces),*] }
            },
            Body::Same(ty) => {
                let shape = shape(ty, false);
                quote!(#shape.described(#doc))
            }
        }
    }
}

fn shape(ty: &Type, any: bool) -> TokenStream {
    match any {
        true => quote!(::wasmhost::schema::Shape::ANY),
        false => quote!(<#ty as ::wasmhost::Schema>::SHAPE),
    }
}

/// The name of an internally tagged enum's tag, and its value.
type Tag<'a> = (&'a str, &'a str);

fn fields(
    fields: &Fields,
    container: &Attrs,
    case: Option<crate::case::Case>,
    tag: Option<Tag<'_>>,
) -> Result<Body> {
    match fields {
        Fields::Named(named) => {
            let fields: Vec<&Field> = named.named.iter().collect();
            if let ([only], true) = (fields.as_slice(), container.transparent) {
                return Ok(Body::Same(only.ty.clone()));
            }
            object(&fields, container, case, tag)
        }
        Fields::Unnamed(unnamed) => {
            let fields: Vec<&Field> = unnamed.unnamed.iter().collect();
            match (fields.as_slice(), tag) {
                ([only], None) => Ok(match Attrs::read(&only.attrs)?.any {
                    true => Body::default(),
                    false => Body::Same(only.ty.clone()),
                }),
                ([only], Some(_)) => {
                    let tagged = object(&[], container, case, tag)?;
                    let shape = shape(&only.ty, false);
                    Ok(tagged.text(",\"allOf\":[").sub("", shape).text("]"))
                }
                (several, _) => tuple(several),
            }
        }
        Fields::Unit => match tag {
            Some(_) => object(&[], container, case, tag),
            None => Ok(Body::default().text("\"type\":\"null\"")),
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
            .sub(&json::doc(&field.attrs), shape(&field.ty, any));
    }
    Ok(body.text("]"))
}

fn object(
    fields: &[&Field],
    container: &Attrs,
    case: Option<crate::case::Case>,
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
            .sub(&json::doc(&field.attrs), shape(&field.ty, attrs.any));
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
            .sub("", shape(ty, false));
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

fn variants_body(variants: &[&Variant], container: &Attrs) -> Result<Body> {
    let mut named = Vec::new();
    for variant in variants {
        let attrs = Attrs::read(&variant.attrs)?;
        if attrs.skip {
            continue;
        }
        let ident = variant.ident.unraw().to_string();
        let name = match (&attrs.rename, container.rename_all) {
            (Some(name), _) => name.clone(),
            (None, Some(case)) => case.variant(&ident),
            (None, None) => ident,
        };
        named.push((*variant, attrs, name));
    }
    let plain = |(variant, ..): &(&Variant, Attrs, String)| {
        matches!(variant.fields, Fields::Unit) && json::doc(&variant.attrs).is_empty()
    };
    if container.tag.is_none() && !container.untagged && named.iter().all(plain) {
        let names: Vec<String> = named.iter().map(|(.., name)| json::string(name)).collect();
        let names = names.join(",");
        return Ok(Body::default().text(format!("\"type\":\"string\",\"enum\":[{names}]")));
    }
    let mut body = Body::default().text(match container.untagged {
        true => "\"anyOf\":[",
        false => "\"oneOf\":[",
    });
    for (at, (variant, attrs, name)) in named.iter().enumerate() {
        let doc = json::doc(&variant.attrs);
        let shape = one_variant(variant, attrs, container, name)?.shape("");
        body = body.text(if at > 0 { "," } else { "" }).sub(&doc, shape);
    }
    Ok(body.text("]"))
}

fn one_variant(variant: &Variant, attrs: &Attrs, container: &Attrs, name: &str) -> Result<Body> {
    let case = attrs.rename_all.or(container.rename_all_fields);
    let inner = |tag| match attrs.any {
        true => Ok(Body::default()),
        false => fields(&variant.fields, attrs, case, tag),
    };
    let quoted = json::string(name);
    let wrap = |open: String, inner: Body, close: &str| {
        Body::default()
            .text(open)
            .sub("", inner.shape(""))
            .text(close)
    };
    let unit = matches!(variant.fields, Fields::Unit);
    match (&container.tag, &container.content) {
        _ if container.untagged || attrs.untagged => inner(None),
        (None, _) if unit => Ok(Body::default().text(format!("\"const\":{quoted}"))),
        (None, _) => Ok(wrap(
            format!("\"type\":\"object\",\"properties\":{{{quoted}:"),
            inner(None)?,
            &format!("}},\"required\":[{quoted}],\"additionalProperties\":false"),
        )),
        (Some(tag), None) => inner(Some((tag, name))),
        (Some(tag), Some(_)) if unit => inner(Some((tag, name))),
        (Some(tag), Some(content)) => {
            let (tag, content) = (json::string(tag), json::string(content));
            Ok(wrap(
                format!(
                    "\"type\":\"object\",\"properties\":{{{tag}:{{\"const\":{quoted}}},{content}:"
                ),
                inner(None)?,
                &format!("}},\"required\":[{tag},{content}]"),
            ))
        }
    }
}
