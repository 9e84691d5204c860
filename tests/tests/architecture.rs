//! The arrows between crates are what ARCHITECTURE.md says: one-way, and each
//! heavy dependency with one owner.
#![allow(clippy::unwrap_used)]

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

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
    ("wasmhost-guest-macros", &[]),
    ("wasmhost-guest", &["wasmhost-guest-macros"]),
    ("wasmhost-tests", &["wasmhost-proto"]),
];

/// Heavy dependency, and the only crates that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("wasmtime", &["wasmhost-sandbox"]),
    ("wasmtime-wasi", &["wasmhost-sandbox"]),
    ("redb", &["wasmhost-store"]),
    ("quinn", &["wasmhost-link"]),
    ("rcgen", &["wasmhost-link"]),
    ("wit-component", &["wasmhost-jobc"]),
    ("wasmparser", &["wasmhost-jobc", "wasmhost-sandbox"]),
    ("wit-bindgen", &["wasmhost-guest"]),
    ("axum", &["wasmhost"]),
    ("clap", &["wasmhost"]),
];

/// Every package of the workspace, and the names of its dependencies outside tests.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .expect("cargo metadata runs on the workspace")
        .packages
        .into_iter()
        .map(|package| {
            let names = package
                .dependencies
                .into_iter()
                .filter(|d| d.kind != DependencyKind::Development)
                .map(|d| d.name)
                .collect();
            (package.name.to_string(), names)
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
