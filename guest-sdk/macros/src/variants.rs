//! The schemas of enums, in serde's four representations.

use crate::body::{Body, Form};
use crate::json;
use crate::schema::fields;
use crate::serde_attrs::Attrs;
use syn::ext::IdentExt;
use syn::{DataEnum, Fields, Result, Variant};

/// The form of an enum.
pub(crate) fn form(data: &DataEnum, container: &Attrs) -> Result<Form> {
    let mut named = Vec::new();
    for variant in &data.variants {
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
        named.push((variant, attrs, name));
    }
    let plain = |(variant, ..): &(&Variant, Attrs, String)| {
        matches!(variant.fields, Fields::Unit) && json::doc(&variant.attrs).is_empty()
    };
    if container.tag.is_none() && !container.untagged && named.iter().all(plain) {
        let names: Vec<String> = named.iter().map(|(.., name)| json::string(name)).collect();
        let names = names.join(",");
        let names = format!("\"type\":\"string\",\"enum\":[{names}]");
        return Ok(Body::default().text(names).into());
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
    Ok(body.text("]").into())
}

fn one_variant(variant: &Variant, attrs: &Attrs, container: &Attrs, name: &str) -> Result<Form> {
    let case = attrs.rename_all.or(container.rename_all_fields);
    let inner = |tag| match attrs.any {
        true => Ok(Body::default().into()),
        false => fields(&variant.fields, attrs, case, tag),
    };
    let quoted = json::string(name);
    let wrap = |open: String, inner: Form, close: &str| {
        let body = Body::default().text(open);
        Form::from(body.sub("", inner.shape("")).text(close))
    };
    let unit = matches!(variant.fields, Fields::Unit);
    match (&container.tag, &container.content) {
        _ if container.untagged || attrs.untagged => inner(None),
        (None, _) if unit => {
            let body = Body::default().text(format!("\"const\":{quoted}"));
            Ok(body.into())
        }
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
