//! What a definition would run, for people: the graph in layers, then each task with
//! its code, limits, retries and imports.

use super::human::{clean, count, duration, line, memory, number};
use super::lists::{kind, short};
use super::style::{Tone, bold, dim};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use wasmhost_proto::api::{CheckNode, CheckView, GrantView, ImportView, SatisfiedBy};
use wasmhost_proto::limits::MAX_NAME;

/// Names in one line of the graph.
const SHOWN: usize = 6;
/// Characters of a condition or source.
const TEXT: usize = 200;

/// The whole explanation.
pub(crate) fn text(view: &CheckView) -> String {
    let layers = layers(&view.nodes);
    let mut out = String::new();
    let tasks = count(view.nodes.len() as u64, "task");
    let what = match layers.len() {
        0 | 1 => tasks,
        steps => format!("{tasks} in {steps} steps"),
    };
    put!(out, "{}: {what}", bold(line(&view.name, MAX_NAME)));
    for (step, nodes) in &layers {
        for (i, node) in nodes.iter().enumerate() {
            let number = match i {
                0 => format!("{}", step + 1),
                _ => String::new(),
            };
            put!(out, "  {number:>3}  {}", vertex(node));
        }
    }
    let started = started(&view.nodes);
    if let Some(params) = &view.params {
        parameters(&mut out, params);
    }
    for node in &view.nodes {
        let starts = started.get(node.name.as_str());
        block(&mut out, node, starts.map_or(&[], Vec::as_slice));
    }
    out
}

/// What each driver may start.
fn started(nodes: &[CheckNode]) -> HashMap<&str, Vec<&str>> {
    let mut started: HashMap<&str, Vec<&str>> = HashMap::new();
    for node in nodes {
        if let Some(driver) = &node.spawned_by {
            started.entry(driver).or_default().push(&node.name);
        }
    }
    started
}

/// Some of many names.
fn some(names: &[&str]) -> String {
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Tasks by how many must end before them, one after another.
fn layers(nodes: &[CheckNode]) -> BTreeMap<usize, Vec<&CheckNode>> {
    let mut depth: HashMap<&str, usize> = HashMap::with_capacity(nodes.len());
    let mut layers: BTreeMap<usize, Vec<&CheckNode>> = BTreeMap::new();
    for node in nodes {
        let before = node
            .after
            .iter()
            .filter_map(|name| depth.get(name.as_str()));
        let own = before.max().map_or(0, |deepest| deepest + 1);
        depth.insert(&node.name, own);
        layers.entry(own).or_default().push(node);
    }
    layers
}

fn vertex(node: &CheckNode) -> String {
    let mut out = line(&node.name, MAX_NAME);
    if node.driver {
        out.push_str(" (driver)");
    }
    match (node.count, &node.items_of) {
        (_, Some(of)) => out.push_str(&format!(" × {of}")),
        (Some(1), None) => {}
        (Some(n), None) => out.push_str(&format!(" × {}", number(n.into()))),
        (None, None) => out.push_str(" × as many as its parameters say"),
    }
    if !node.after.is_empty() {
        let after: Vec<&str> = node.after.iter().map(String::as_str).collect();
        out.push_str(&dim(format!("  after {}", some(&after))));
    }
    if let Some(when) = &node.when {
        out.push_str(&dim(format!("  when {}", line(when, TEXT))));
    }
    out
}

fn parameters(out: &mut String, schema: &serde_json::Value) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    put!(out, "\n{}", bold("parameters"));
    let required = schema["required"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (name, property) in properties {
        let kind = property["format"]
            .as_str()
            .or(property["type"].as_str())
            .unwrap_or_default();
        let kind = kind.trim_start_matches("x-");
        let default = match property.get("default") {
            Some(default) => format!(" = {default}"),
            None if required.iter().any(|r| r == name) => ", required".to_owned(),
            None => String::new(),
        };
        let help = property["description"].as_str().unwrap_or_default();
        let help = if help.is_empty() {
            String::new()
        } else {
            format!("  {}", line(help, TEXT))
        };
        put!(
            out,
            "  {name}: {}{}",
            clean(&format!("{kind}{default}")),
            dim(help)
        );
    }
}

fn block(out: &mut String, node: &CheckNode, starts: &[&str]) {
    put!(out, "\n{}", bold(line(&node.name, MAX_NAME)));
    let mut row = |name: &str, value: &str| put!(out, "  {} {value}", dim(format!("{name:<9}")));
    row("source", &line(&node.source, TEXT));
    let module = match (&node.module, node.kind) {
        (Some(digest), Some(of)) => format!("{} {}", short(digest), kind(of)),
        _ if node.source.starts_with("crate ") => "not built yet: submit builds it".to_owned(),
        _ => "not known yet".to_owned(),
    };
    match &node.script {
        Some(script) => {
            row("engine", &format!("{} {module}", script.engine));
            if let Some(digest) = &script.digest {
                row(
                    "script",
                    &format!("{} {}", short(digest), line(&script.name, TEXT)),
                );
            }
        }
        None => row("module", &module),
    }
    if node.driver {
        row("driver", &format!("starts tasks of {}", some(starts)));
    }
    if let Some(driver) = &node.spawned_by {
        row(
            "input",
            &format!("given by {driver}, which starts its tasks"),
        );
    }
    if !node.input_from.is_empty() {
        row(
            "input",
            &format!("results of {}", node.input_from.join(", ")),
        );
    }
    let (asked, ceiling) = (&node.asked, &node.ceiling);
    let one = |value: String, is_asked: bool, ceiling: String| {
        let whence = if is_asked { "asked" } else { "default" };
        format!("{value} {}", dim(format!("({whence}; at most {ceiling})")))
    };
    row(
        "memory",
        &one(
            memory(node.limits.memory),
            asked.memory.is_some(),
            memory(ceiling.memory),
        ),
    );
    row(
        "time",
        &one(
            duration(node.limits.wall_ms),
            asked.wall_ms.is_some(),
            duration(ceiling.wall_ms),
        ),
    );
    row(
        "result",
        &one(
            memory(node.limits.output),
            asked.output.is_some(),
            memory(ceiling.output),
        ),
    );
    row("retries", &retries(node));
    match node.tolerate {
        0 => {}
        u32::MAX => row("tolerate", "all may fail"),
        n => row("tolerate", &format!("{} may fail", number(n.into()))),
    }
    if let Some(at_once) = node.concurrency {
        row("at once", &number(at_once.into()));
    }
    if node.priority != 0 {
        row("priority", &node.priority.to_string());
    }
    for (name, text) in super::files::rows(node) {
        row(name, &text);
    }
    for (i, grant) in node.grants.iter().enumerate() {
        row(if i == 0 { "asks for" } else { "" }, &granted(grant));
    }
    for (i, import) in node.imports.iter().enumerate() {
        row(if i == 0 { "imports" } else { "" }, &satisfied(import));
    }
}

fn retries(node: &CheckNode) -> String {
    let retry = &node.retry;
    let mut parts = vec![
        format!("{} of its own failures", retry.guest),
        format!("{} of lost workers", retry.infrastructure),
    ];
    parts.extend(
        retry
            .kinds
            .iter()
            .map(|(kind, n)| format!("{n} of {}", kind.replace('_', " "))),
    );
    let pause = format!(
        "(after {} to {})",
        duration(retry.backoff_ms),
        duration(retry.max_backoff_ms)
    );
    format!("{} {}", parts.join(", "), dim(pause))
}

/// Who has agreed to what a task asks for, and who is missing.
fn granted(grant: &GrantView) -> String {
    let allowed = match grant.allowed {
        true => Tone::Good.paint("the operator allows it"),
        false => Tone::Bad.paint("the operator does not allow it"),
    };
    let by: Vec<&str> = grant.offered_by.iter().map(String::as_str).collect();
    let offered = match by.is_empty() {
        true if grant.kind == "secret" => Tone::Bad.paint("no secret of this name is kept"),
        true => Tone::Warn.paint("no worker that takes work is known to offer it"),
        false => Tone::Good.paint(format!("offered by {}", line(&some(&by), TEXT))),
    };
    let what = line(&format!("{} {}", grant.kind, grant.name), MAX_NAME * 2);
    format!("{what} {} {allowed}; {offered}", dim("←"))
}

fn satisfied(import: &ImportView) -> String {
    let functions = match import.functions.is_empty() {
        true => String::new(),
        false => format!(": {}", import.functions.join(", ")),
    };
    let of = import
        .of
        .iter()
        .map(|of| format!(" of {}", line(of, MAX_NAME)));
    let library = import.library.as_deref().unwrap_or_default();
    let by = match (import.by, &import.grant) {
        (_, Some(grant)) => {
            Tone::Warn.paint(format!("needs the grant `{grant}`, which is not given"))
        }
        (SatisfiedBy::Library, _) => {
            Tone::Good.paint(format!("library {}", line(library, MAX_NAME)))
        }
        (SatisfiedBy::Nothing, _) => {
            Tone::Bad.paint("nothing that is known: see `wasmhost library`")
        }
        (SatisfiedBy::Sandbox | SatisfiedBy::Grant, None) => Tone::Good.paint("sandbox"),
    };
    format!(
        "{}{}{} {} {by}",
        clean(&import.name),
        of.collect::<String>(),
        clean(&functions),
        dim("←")
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use wasmhost_proto::Digest;
    use wasmhost_proto::api::SubmitRequest;
    use wasmhost_proto::module::ModuleKind;

    const TEXT: &str = r#"
[params.rows]
type = "integer"
min = 1
help = "how many"
[params.wait]
type = "duration"
default = "30s"
[tasks.fetch]
module = { crate = "tasks/fetch" }
array = { range = [0, 2000] }
limits = { time = "30s" }
retry = { max = 2, kinds = { trap = 1 } }
[tasks.check]
script = { js = "export default x => x" }
input_from = "fetch"
[tasks.part]
module = { path = "tool.wasm" }
array = { results = "fetch" }
concurrency = 8
tolerate = "all"
[tasks.sweep]
module = { path = "tool.wasm" }
array = { range = [0, "${params.rows}"] }
[tasks.send]
module = { path = "tool.wasm" }
after = ["part"]
when = "results.check > params.rows"
priority = 3
[tasks.search]
module = "search"
driver = true
[tasks.trial]
module = "trial"
spawned_by = "search"
"#;

    #[test]
    fn a_graph_and_its_tasks() {
        let request = SubmitRequest {
            definition: TEXT.into(),
            ..SubmitRequest::default()
        };
        let mut view = wasmhost_jobc::outline(&request).unwrap();
        let imports = [
            "wasi_snapshot_preview1.fd_write",
            "wasi_snapshot_preview1.path_open",
        ];
        let mut nodes = view.nodes.iter_mut();
        let send = nodes.find(|node| node.name == "send").unwrap();
        send.imports = wasmhost_jobc::module::satisfied(&imports.map(str::to_owned));
        send.module = Some(Digest([0xab; 32]));
        send.kind = Some(ModuleKind::CoreCommand);
        let text = super::text(&view);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
