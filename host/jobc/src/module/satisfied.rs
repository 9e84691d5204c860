//! What satisfies each import of an admitted module: the sandbox alone, the sandbox with
//! a grant, without which its calls are refused when they are made, or, unless there is a
//! library for it, nothing.

use super::{is_open, preview1};
use std::collections::{BTreeMap, BTreeSet};
use wasmhost_proto::api::{ImportView, SatisfiedBy};

/// The grant that a task has by its files.
const FILES: &str = "filesystem";
const SOCKETS: &str = "sockets";
/// Given by a task's `network`.
const NETWORK: &str = "network";

/// What satisfies each of a module's imports, sorted by name; functions of core modules are grouped by what they
/// are about.
pub fn satisfied(imports: &[String]) -> Vec<ImportView> {
    let mut found: BTreeMap<(String, Option<&str>), Vec<String>> = BTreeMap::new();
    for import in imports {
        match preview1_of(import) {
            Some((module, function)) => {
                let (group, grant) = group(function);
                let functions = found.entry((format!("{module} ({group})"), grant));
                functions.or_default().push(function.to_owned());
            }
            None => drop(found.entry((import.clone(), grant(import))).or_default()),
        }
    }
    let views = found
        .into_iter()
        .map(|((name, grant), functions)| ImportView {
            by: match grant {
                Some(_) => SatisfiedBy::Grant,
                None if is_open(&name) => SatisfiedBy::Nothing,
                None => SatisfiedBy::Sandbox,
            },
            name,
            functions,
            grant: grant.map(str::to_owned),
            library: None,
            of: None,
        });
    views.collect()
}

/// The imports of a task's module, of which the sandbox has more when the task has files, or
/// sends requests.
pub fn granted(mut imports: Vec<ImportView>, files: bool, network: bool) -> Vec<ImportView> {
    for import in &mut imports {
        let has = match import.grant.as_deref() {
            Some(FILES) => files,
            Some(NETWORK) => network,
            _ => false,
        };
        if has {
            import.by = SatisfiedBy::Sandbox;
            import.grant = None;
        }
    }
    imports
}

/// The grants that a module's imports need, sorted.
pub(super) fn grants(imports: &[String]) -> Vec<String> {
    let grants: BTreeSet<String> = satisfied(imports)
        .into_iter()
        .filter_map(|i| i.grant)
        .collect();
    grants.into_iter().collect()
}

/// Module and function of an import of WASI preview 1, which is `module.function`.
fn preview1_of(import: &str) -> Option<(&'static str, &str)> {
    preview1::MODULES.into_iter().find_map(|module| {
        let function = import.strip_prefix(module)?.strip_prefix('.')?;
        Some((module, function))
    })
}

/// What components that send requests import.
pub(crate) const WASI_HTTP: &str = "wasi:http/";

/// The grant that a component's import needs.
fn grant(import: &str) -> Option<&'static str> {
    [
        ("wasi:filesystem/", FILES),
        ("wasi:sockets/", SOCKETS),
        (WASI_HTTP, NETWORK),
    ]
    .into_iter()
    .find_map(|(package, grant)| import.starts_with(package).then_some(grant))
}

/// What a function of preview 1 is about, and the grant that it needs.
fn group(function: &str) -> (&'static str, Option<&'static str>) {
    const TABLE: [(&str, &str, Option<&str>); 9] = [
        ("path_", "paths", Some(FILES)),
        ("fd_readdir", "paths", Some(FILES)),
        ("sock_", "sockets", Some(SOCKETS)),
        ("fd_", "open files and standard streams", None),
        ("args_", "arguments and environment", None),
        ("environ_", "arguments and environment", None),
        ("clock_", "clocks", None),
        ("poll_", "clocks", None),
        ("random_", "random numbers", None),
    ];
    TABLE
        .into_iter()
        .find_map(|(prefix, group, grant)| function.starts_with(prefix).then_some((group, grant)))
        .unwrap_or(("process", None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(imports: &[&str], want: &[(&str, &[&str], Option<&str>)]) {
        let imports: Vec<String> = imports.iter().map(|i| i.to_string()).collect();
        let views = satisfied(&imports);
        let got: Vec<_> = views
            .iter()
            .map(|v| {
                let functions: Vec<&str> = v.functions.iter().map(String::as_str).collect();
                assert_eq!(v.by == SatisfiedBy::Grant, v.grant.is_some());
                (v.name.as_str(), functions, v.grant.as_deref())
            })
            .collect();
        let want: Vec<_> = want.iter().map(|(n, f, g)| (*n, f.to_vec(), *g)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn what_a_task_has_needs_no_grant() {
        let imports = ["filesystem/types", "http/outgoing-handler", "sockets/tcp"];
        let imports = imports.map(|name| format!("wasi:{name}@0.2.6"));
        let check = |files, network, want: &[&str]| {
            let views = granted(satisfied(&imports), files, network);
            let needs: Vec<&str> = views.iter().filter_map(|v| v.grant.as_deref()).collect();
            assert_eq!(needs, want, "{files} {network}");
        };
        check(false, false, &["filesystem", "network", "sockets"]);
        check(true, false, &["network", "sockets"]);
        check(false, true, &["filesystem", "sockets"]);
        check(true, true, &["sockets"]);
    }

    #[test]
    fn components_by_interface() {
        check(
            &[
                "wasmhost:task/log@0.1.0",
                "wasi:sockets/tcp@0.2.6",
                "wasi:http/types@0.2.6",
                "wasi:filesystem/types@0.2.6",
            ],
            &[
                ("wasi:filesystem/types@0.2.6", &[], Some("filesystem")),
                ("wasi:http/types@0.2.6", &[], Some("network")),
                ("wasi:sockets/tcp@0.2.6", &[], Some("sockets")),
                ("wasmhost:task/log@0.1.0", &[], None),
            ],
        );
    }

    #[test]
    fn core_modules_by_function() {
        check(
            &[
                "wasi_snapshot_preview1.fd_write",
                "wasi_snapshot_preview1.path_open",
                "wasi_snapshot_preview1.proc_exit",
                "wasi_snapshot_preview1.fd_read",
                "wasi_snapshot_preview1.sock_recv",
            ],
            &[
                (
                    "wasi_snapshot_preview1 (open files and standard streams)",
                    &["fd_write", "fd_read"],
                    None,
                ),
                (
                    "wasi_snapshot_preview1 (paths)",
                    &["path_open"],
                    Some("filesystem"),
                ),
                ("wasi_snapshot_preview1 (process)", &["proc_exit"], None),
                (
                    "wasi_snapshot_preview1 (sockets)",
                    &["sock_recv"],
                    Some("sockets"),
                ),
            ],
        );
    }
}
