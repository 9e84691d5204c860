//! The parameters of a definition, as the options of a command are listed.

use super::human::{clean, line};
use super::style::{bold, dim};
use serde_json::Value as Json;
use std::fmt::Write as _;
use wasmhost_jobc::Definition;
use wasmhost_jobc::params::{Kind, Param};

/// The help of a definition.
pub(crate) fn help(name: &str, definition: &Definition) -> String {
    let mut out = String::new();
    let job = &definition.job;
    if let Some(title) = &job.name {
        put!(out, "{}", bold(line(title, 200)));
    }
    if !job.description.is_empty() {
        put!(out, "{}", clean(&job.description).trim_end());
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let name = line(name, 200);
    if definition.params.is_empty() {
        put!(out, "{} wasmhost submit {name}", bold("Usage:"));
        put!(out, "\n{name} has no parameters.");
        return out;
    }
    put!(
        out,
        "{} wasmhost submit {name} [-p NAME=VALUE]...",
        bold("Usage:")
    );
    put!(out, "\n{}", bold("Parameters:"));
    let heads = definition.params.iter();
    let heads: Vec<String> = heads.map(head).collect();
    let width = heads.iter().map(|head| head.chars().count()).max();
    for (param, head) in definition.params.iter().zip(&heads) {
        let gap = " ".repeat(width.unwrap_or(0) - head.chars().count());
        let text = facts(param);
        put!(out, "  {}{gap}  {}", bold(head), text);
    }
    put!(
        out,
        "\n{}",
        dim("`wasmhost submit --help` lists the options.")
    );
    out
}

/// `top=<integer>`, `tags=<text,...>`.
fn head(param: &Param) -> String {
    let kind = match &param.kind {
        Kind::List(of) => format!("{},...", of.name()),
        kind => kind.name().to_owned(),
    };
    format!("{}=<{kind}>", param.name)
}

/// What it is for, what fits, and what holds when it is not given.
fn facts(param: &Param) -> String {
    let mut facts = Vec::new();
    if !param.help.is_empty() {
        facts.push(line(&param.help, 400));
    }
    facts.push(dim(format!("[{}]", line(&param.wanted(), 400))));
    if let Some(default) = &param.default {
        let text = match default {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        facts.push(dim(format!("[default: {}]", line(&text, 100))));
    }
    if param.required {
        facts.push("[required]".to_owned());
    }
    if !param.modifiable {
        facts.push(dim("[fixed]"));
    }
    facts.join(" ")
}
