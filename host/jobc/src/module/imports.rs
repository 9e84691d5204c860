//! What a module may import: what sandboxes link; and, of a component, interfaces that
//! are nobody's of those, for which libraries are looked up when its task is planned.

use super::inspect::{Facts, Import};
use super::{Reasons, preview1};
use crate::suggest;
use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::{EntityType, Types};

/// The interfaces of WASI 0.2 that sandboxes link. Files and sockets are there,
/// since standard libraries import them, but nothing is granted through them; requests are
/// there for tasks that ask for the network.
const WASI: [(&str, &[&str]); 7] = [
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
    ),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:filesystem", &["types", "preopens"]),
    ("wasi:http", &["types", "outgoing-handler"]),
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:random", &["random", "insecure", "insecure-seed"]),
    (
        "wasi:sockets",
        &[
            "network",
            "instance-network",
            "ip-name-lookup",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];

/// The interfaces of our own package, with their functions.
const TASK: [(&str, &[&str]); 13] = [
    (
        "context",
        &[
            "job",
            "task",
            "index",
            "count",
            "attempt",
            "idempotency-key",
            "deadline",
            "cancelled",
        ],
    ),
    ("status", &["progress", "set", "event"]),
    ("log", &["write"]),
    ("driver", &["spawn", "under-way", "wait", "cancel", "next"]),
    ("script", &["source", "name"]),
    ("data-types", &[]),
    (
        "private-data",
        &["get", "set", "delete", "add", "entries", "wait"],
    ),
    (
        "public-data",
        &["get", "set", "delete", "add", "entries", "wait"],
    ),
    ("checkpoint", &["save", "load"]),
    ("outputs", &["create", "write", "flush", "close"]),
    ("programs", &["start", "write", "close", "read", "kill"]),
    ("http", &["fetch"]),
    ("jobs", &["submit", "look", "wait", "read", "cancel"]),
];
const TASK_PACKAGE: &str = "wasmhost:task";
/// Interfaces of packages that have no release yet, in the drafts that components import.
const DRAFTS: [&str; 8] = [
    "wasi:config/store@0.2.0-rc.1",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:keyvalue/store@0.2.0-draft2",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/batch@0.2.0-draft2",
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft",
];

const OFFER: &str = "sandboxes offer wasmhost:task@0.1 (context, status, log, driver, script, \
    private-data, public-data, checkpoint, outputs, programs, http, jobs), \
    wasi:config/store@0.2.0-rc.1, wasi:keyvalue@0.2.0-draft2 and WASI 0.2 (cli, clocks, io, random; http for tasks with \
    `network`; filesystem and sockets without any grant)";

/// Whether an import of an admitted module is left to libraries: an interface of a
/// package of which sandboxes have nothing.
pub fn is_open(import: &str) -> bool {
    let path = import.split('@').next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-:/".contains(c);
    match path.split_once('/') {
        Some((package, _)) => path.chars().all(plain) && !is_ours(package),
        None => false,
    }
}

/// Whether sandboxes have interfaces of a package.
fn is_ours(package: &str) -> bool {
    let wasi = WASI.iter().any(|(known, _)| *known == package);
    wasi || package == TASK_PACKAGE || drafts(package).next().is_some()
}

/// What sandboxes have of a package that has no release.
fn drafts(package: &str) -> impl Iterator<Item = &'static str> {
    let of = move |name: &&str| name.split('/').next() == Some(package);
    DRAFTS.into_iter().filter(of)
}

/// Names every import that neither sandboxes nor libraries can have.
pub(super) fn check(facts: &Facts, reasons: &mut Reasons) {
    for import in &facts.imports {
        let fault = match &import.core {
            Some((module, name, ty)) => core(&facts.types, module, name, *ty),
            None if import.plain_type => None,
            None => component(&facts.types, import),
        };
        if let Some((message, help)) = fault {
            reasons.add("unknown-import", message, help);
        }
    }
}

fn core(
    types: &Types,
    module: &str,
    name: &str,
    ty: Option<EntityType>,
) -> Option<(String, String)> {
    let unknown =
        format!("the module imports '{name}' from '{module}', which sandboxes do not have");
    if !preview1::MODULES.contains(&module) {
        let help = match module {
            "wbg" | "__wbindgen_placeholder__" => {
                "it was made for browsers: build it for wasm32-wasip2 without wasm-bindgen"
            }
            "go" | "gojs" => "it was made for browsers: build it with GOOS=wasip1",
            "wasi" => "it was built with threads: build it for wasm32-wasip1",
            "env" | "a" => {
                "a library was not linked in, or it was made by Emscripten: build it with wasi-sdk or for wasm32-wasip2"
            }
            _ if is_open(module) => {
                "only components get imports from libraries: build it for wasm32-wasip2, or make it \
                 a component with `wasm-tools component new`"
            }
            _ => "core modules may import functions of wasi_snapshot_preview1 and wasi_unstable",
        };
        return Some((unknown, help.into()));
    }
    let Some(want) = preview1::function(module, name) else {
        return Some((unknown, suggest::help(name, &preview1::names())));
    };
    let fits = matches!(ty, Some(EntityType::Func(id)) if *types[id].unwrap_func() == want);
    (!fits).then(|| {
        (
            format!("the module imports '{name}' from '{module}' with another type; it is {want}"),
            String::new(),
        )
    })
}

fn component(types: &Types, import: &Import) -> Option<(String, String)> {
    let name = import.name.as_str();
    let unknown = format!("the module imports '{name}', which sandboxes do not have");
    let (path, version) = name.split_once('@').unwrap_or((name, ""));
    let Some((package, interface)) = path.split_once('/') else {
        return Some((unknown, OFFER.into()));
    };
    if package == TASK_PACKAGE && is_minor(version, "0.1") {
        let known = TASK.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let Some((_, functions)) = TASK.iter().find(|(name, _)| *name == interface) else {
            return Some((unknown, suggest::help(interface, &known)));
        };
        let lacking = functions_of(types, name)
            .into_iter()
            .find(|f| !functions.contains(&f.as_str()))?;
        let message =
            format!("the module imports '{lacking}' of '{name}', which sandboxes do not have");
        return Some((message, suggest::help(&lacking, functions)));
    }
    let offered: Vec<&str> = drafts(package).collect();
    if !offered.is_empty() {
        let help = format!("sandboxes offer {}", offered.join(", "));
        return (!offered.contains(&name)).then_some((unknown, help));
    }
    let Some((_, interfaces)) = WASI.iter().find(|(known, _)| *known == package) else {
        let item = types.component_item_for_import(name).map(|item| item.ty);
        let instance = matches!(item, Some(ComponentEntityType::Instance(_)));
        return (!(instance && is_open(name))).then(|| (unknown, OFFER.into()));
    };
    if !is_minor(version, "0.2") {
        return Some((
            unknown,
            "sandboxes offer version 0.2 of WASI: build it for wasm32-wasip2".into(),
        ));
    }
    (!interfaces.contains(&interface)).then(|| (unknown, suggest::help(interface, interfaces)))
}

/// Whether a version is `minor.x`, such as 0.2.6 of 0.2.
fn is_minor(version: &str, minor: &str) -> bool {
    let patch = version
        .strip_prefix(minor)
        .and_then(|rest| rest.strip_prefix('.'));
    patch.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// The functions of an imported interface.
fn functions_of(types: &Types, import: &str) -> Vec<String> {
    let Some(item) = types.component_item_for_import(import) else {
        return Vec::new();
    };
    let ComponentEntityType::Instance(id) = item.ty else {
        return Vec::new();
    };
    let exports = types[id].exports.iter();
    exports
        .filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)))
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_the_wit() {
        let wit = wasmhost_proto::TASK_WIT;
        let functions: Vec<&str> = wit
            .lines()
            .filter_map(|line| line.trim().split_once(": func(").map(|(name, _)| name))
            .filter(|name| !name.starts_with("export "))
            .collect();
        let interfaces: Vec<&str> = wit
            .lines()
            .filter_map(|l| l.strip_prefix("interface ")?.strip_suffix(" {"))
            .collect();
        assert_eq!(
            functions,
            TASK.iter()
                .flat_map(|(_, f)| f.iter().copied())
                .collect::<Vec<_>>()
        );
        assert_eq!(
            interfaces,
            TASK.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
        assert!(wit.starts_with("package wasmhost:task@0.1.0;"));
    }
}
