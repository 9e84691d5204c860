//! The arrows between crates are what ARCHITECTURE.md says: one-way, and each
//! heavy dependency with one owner.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Crate, and the crates of this repository that it may name outside its tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("wasmhost-proto", &[]),
    ("wasmhost-core", &["wasmhost-proto"]),
    ("wasmhost-jobc", &["wasmhost-proto"]),
    ("wasmhost-store", &["wasmhost-core", "wasmhost-proto"]),
    ("wasmhost-sandbox", &["wasmhost-proto"]),
    ("wasmhost-link", &["wasmhost-proto"]),
    (
        "wasmhost",
        &[
            "wasmhost-core",
            "wasmhost-jobc",
            "wasmhost-link",
            "wasmhost-proto",
            "wasmhost-sandbox",
            "wasmhost-store",
        ],
    ),
    (
        "wasmhost-bench",
        &[
            "task-kernel",
            "task-mandelbrot",
            "wasmhost-core",
            "wasmhost-guest",
            "wasmhost-jobc",
            "wasmhost-link",
            "wasmhost-paths",
            "wasmhost-proto",
            "wasmhost-sandbox",
            "wasmhost-store",
        ],
    ),
    (
        "wasmhost-paths",
        &["wasmhost-core", "wasmhost-proto", "wasmhost-store"],
    ),
    ("wasmhost-guest-macros", &[]),
    ("wasmhost-guest", &["wasmhost-guest-macros"]),
    ("wasmhost-tests", &["wasmhost-proto"]),
];

/// Heavy dependency, and the only crates that may name it. The benchmarks name
/// some of them to measure what the machine does without us.
const OWNERS: &[(&str, &[&str])] = &[
    ("wasmtime", &["wasmhost-sandbox", "wasmhost-bench"]),
    ("wasmtime-wasi", &["wasmhost-sandbox", "wasmhost-bench"]),
    ("redb", &["wasmhost-store", "wasmhost-bench"]),
    ("quinn", &["wasmhost-link", "wasmhost-bench"]),
    ("rcgen", &["wasmhost-link"]),
    ("wit-component", &["wasmhost-jobc"]),
    ("wac-graph", &["wasmhost-jobc"]),
    ("wasmparser", &["wasmhost-jobc", "wasmhost-sandbox"]),
    ("wit-bindgen", &["wasmhost-guest", "task-buckets"]),
    ("axum", &["wasmhost"]),
    ("clap", &["wasmhost"]),
];

/// Every package of the workspace, and the names of its dependencies outside tests.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--no-deps",
            "--offline",
            "--manifest-path",
            manifest,
        ])
        .output()
        .expect("cargo starts");
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            (
                name(package),
                dependencies
                    .filter(|d| d["kind"] != "dev")
                    .map(name)
                    .collect(),
            )
        })
        .collect()
}

#[test]
fn arrows_are_one_way() {
    let packages = packages();
    for (name, allowed) in ARROWS {
        let named = packages
            .get(*name)
            .unwrap_or_else(|| panic!("{name} is not in the workspace"));
        let ours: BTreeSet<&str> = named
            .iter()
            .map(String::as_str)
            .filter(|d| packages.contains_key(*d))
            .collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        let extra: Vec<_> = ours.difference(&allowed).collect();
        assert!(
            extra.is_empty(),
            "{name} may not depend on {extra:?}: see ARCHITECTURE.md"
        );
    }
    for name in packages.keys() {
        let listed = ARROWS.iter().any(|(n, _)| n == name);
        let leaf = name.starts_with("task-") || name == "xtask";
        assert!(listed || leaf, "{name} is missing from the table of arrows");
    }
}

#[test]
fn one_heavy_dependency_one_owner() {
    for (name, named) in packages() {
        for (heavy, owners) in OWNERS {
            assert!(
                !named.contains(*heavy) || owners.contains(&name.as_str()),
                "{name} names {heavy}, which belongs to {owners:?}"
            );
        }
    }
}

/// What is admitted is what the sandbox compiles. The two crates may not name each
/// other, so each has its own list, and this holds them equal.
#[test]
fn admission_and_sandbox_accept_the_same_features() {
    let features = |file: &str| {
        let path = format!("{}/../host/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap();
        let list = text.split("const FEATURES: WasmFeatures =").nth(1);
        let list = list.unwrap_or_else(|| panic!("{path} has no list of features"));
        let list = list.split(';').next().unwrap();
        let names = list.split("WasmFeatures::").skip(1);
        names
            .map(|name| {
                name.chars()
                    .take_while(|c| c.is_ascii_uppercase() || *c == '_')
                    .collect()
            })
            .collect::<BTreeSet<String>>()
    };
    let admitted = features("jobc/src/module/inspect.rs");
    assert!(admitted.len() > 5, "{admitted:?}");
    assert_eq!(admitted, features("sandbox/src/engine.rs"));
}
