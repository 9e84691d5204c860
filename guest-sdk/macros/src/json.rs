//! Text for JSON: escaping, and the doc comments of an item.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The text of a JSON string, without its quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// A JSON string.
pub(crate) fn string(text: &str) -> String {
    format!("\"{}\"", escape(text))
}

/// The doc comment of an item, escaped. Lines of a paragraph are joined, as in
/// rendered Markdown.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let mut out = String::new();
    let mut fresh = true;
    for attribute in attributes {
        let Meta::NameValue(meta) = &attribute.meta else {
            continue;
        };
        let Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) = &meta.value
        else {
            continue;
        };
        if !meta.path.is_ident("doc") {
            continue;
        }
        for line in text.value().lines().map(str::trim).chain(
            // `lines` gives nothing for an empty line of comment.
            text.value().is_empty().then_some(""),
        ) {
            if line.is_empty() {
                fresh = true;
                continue;
            }
            if !out.is_empty() {
                out.push_str(if fresh { "\n\n" } else { " " });
            }
            out.push_str(line);
            fresh = false;
        }
    }
    escape(&out)
}
