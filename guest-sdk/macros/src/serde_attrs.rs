//! Reads the serde attributes that change the shape of JSON, and skips the others.

use crate::case::Case;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Result, Token, Type};

/// What serde and schema attributes say of a container, a variant or a field.
#[derive(Default)]
pub(crate) struct Attrs {
    pub(crate) rename: Option<String>,
    pub(crate) rename_all: Option<Case>,
    pub(crate) rename_all_fields: Option<Case>,
    pub(crate) default: bool,
    pub(crate) skip: bool,
    pub(crate) flatten: bool,
    pub(crate) transparent: bool,
    pub(crate) untagged: bool,
    pub(crate) deny_unknown_fields: bool,
    pub(crate) tag: Option<String>,
    pub(crate) content: Option<String>,
    /// `from` and `try_from`: the JSON is that of another type.
    pub(crate) from: Option<Type>,
    /// `with`, `deserialize_with`, `#[schema(any)]`: the JSON may be anything.
    pub(crate) any: bool,
}

impl Attrs {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Attrs> {
        let mut attrs = Attrs::default();
        for attribute in attributes {
            if attribute.path().is_ident("serde") {
                attribute.parse_nested_meta(|meta| attrs.serde(&meta))?;
            } else if attribute.path().is_ident("schema") {
                attribute.parse_nested_meta(|meta| {
                    if !meta.path.is_ident("any") {
                        return Err(meta.error("the only schema attribute is `any`"));
                    }
                    attrs.any = true;
                    Ok(())
                })?;
            }
        }
        Ok(attrs)
    }

    fn serde(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = meta.path.get_ident().map(ToString::to_string);
        match key.as_deref().unwrap_or_default() {
            "rename" => self.rename = name(meta)?,
            "rename_all" => self.rename_all = case(meta)?,
            "rename_all_fields" => self.rename_all_fields = case(meta)?,
            "tag" => self.tag = name(meta)?,
            "content" => self.content = name(meta)?,
            "from" | "try_from" => {
                self.from = match name(meta)? {
                    Some(text) => Some(syn::parse_str(&text)?),
                    None => None,
                }
            }
            "default" => {
                self.default = true;
                skip(meta)?;
            }
            "with" | "deserialize_with" => {
                self.any = true;
                skip(meta)?;
            }
            "skip" | "skip_deserializing" => self.skip = true,
            "flatten" => self.flatten = true,
            "transparent" => self.transparent = true,
            "untagged" => self.untagged = true,
            "deny_unknown_fields" => self.deny_unknown_fields = true,
            _ => skip(meta)?,
        }
        Ok(())
    }
}

/// `key = "name"`, or the deserialising side of `key(serialize = …, deserialize = …)`.
fn name(meta: &ParseNestedMeta<'_>) -> Result<Option<String>> {
    if meta.input.peek(Token![=]) {
        return Ok(Some(meta.value()?.parse::<LitStr>()?.value()));
    }
    let mut found = None;
    meta.parse_nested_meta(|side| {
        let text = side.value()?.parse::<LitStr>()?.value();
        if side.path.is_ident("deserialize") {
            found = Some(text);
        }
        Ok(())
    })?;
    Ok(found)
}

fn case(meta: &ParseNestedMeta<'_>) -> Result<Option<Case>> {
    // serde itself reports a rule that does not exist.
    Ok(name(meta)?.and_then(|rule| Case::parse(&rule)))
}

/// Passes over the value of an attribute that does not matter here.
fn skip(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let inner;
        syn::parenthesized!(inner in meta.input);
        inner.parse::<proc_macro2::TokenStream>()?;
    }
    Ok(())
}
