//! Builds a task crate with cargo, on this machine, into a component.

use super::context::Context;
use super::exit::{Exit, Fault};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What task crates are built for.
const TARGET: &str = "wasm32-wasip2";

/// How they are built: one small, fast unit whose names stay for backtraces. The
/// settings come along, because a crate's own workspace rarely has the profile.
const PROFILE: &str = "guest";
const PROFILE_SETTINGS: [&str; 6] = [
    "profile.guest.inherits=\"release\"",
    "profile.guest.opt-level=3",
    "profile.guest.lto=\"fat\"",
    "profile.guest.codegen-units=1",
    "profile.guest.panic=\"abort\"",
    "profile.guest.strip=\"debuginfo\"",
];

/// A crate that was built.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Built {
    /// The module.
    pub(crate) wasm: PathBuf,
    /// The crate's name.
    pub(crate) name: String,
}

/// Builds the crate in `dir`. Cargo's own progress goes to standard error,
/// unless talk is not wanted there.
pub(crate) fn build(cx: &Context, dir: &Path) -> anyhow::Result<Built> {
    let manifest = dir.join("Cargo.toml");
    let manifest = manifest.canonicalize().map_err(|error| {
        Fault::new(
            Exit::USAGE,
            "no_crate",
            format!("there is no crate in {}: {error}", dir.display()),
        )
        .help("name a folder with a Cargo.toml")
    })?;
    has_target(dir)?;
    let silent = cx.out.is_json() || cx.out.quiet;
    let mut cargo = Command::new(program("CARGO", "cargo"));
    cargo
        .args([
            "build",
            "--profile",
            PROFILE,
            "--target",
            TARGET,
            "--message-format",
            "json-render-diagnostics",
        ])
        .args(PROFILE_SETTINGS.iter().flat_map(|set| ["--config", set]))
        .args(silent.then_some("--quiet"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(if silent {
            Stdio::piped()
        } else {
            Stdio::inherit()
        });
    cx.out.talk(format!("building {}", dir.display()));
    let output = cargo
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .map_err(no_cargo)?;
    if !output.status.success() {
        let mut fault = Fault::new(
            Exit::FAILED,
            "build_failed",
            format!("the crate in {} does not build", dir.display()),
        );
        if silent {
            fault = fault.help(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        return Err(fault.into());
    }
    Ok(artifact(
        &String::from_utf8_lossy(&output.stdout),
        &manifest,
    )?)
}

fn program(variable: &str, default: &str) -> std::ffi::OsString {
    std::env::var_os(variable).unwrap_or_else(|| default.into())
}

fn no_cargo(error: std::io::Error) -> Fault {
    Fault::new(Exit::FAILED, "no_cargo", format!("cannot run cargo: {error}"))
        .help("install Rust from https://rustup.rs, or push a built module with `wasmhost module push FILE`")
}

/// Cargo's own message for a missing target names neither rustup nor a way out.
fn has_target(dir: &Path) -> anyhow::Result<()> {
    let output = Command::new(program("RUSTC", "rustc"))
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(dir)
        .output()
        .map_err(no_cargo)?;
    let libdir = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(libdir.trim()).exists() {
        return Ok(());
    }
    Err(Fault::new(
        Exit::FAILED,
        "no_target",
        format!("the Rust target {TARGET} is not installed"),
    )
    .help(format!("rustup target add {TARGET}"))
    .into())
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Finds the one module that the crate itself became in cargo's messages.
fn artifact(messages: &str, manifest: &Path) -> Result<Built, Fault> {
    let mut found: Vec<Built> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|m| m.reason == "compiler-artifact" && m.manifest_path.as_deref() == Some(manifest))
        .filter_map(|m| {
            let wasm = m
                .filenames
                .into_iter()
                .find(|f| f.extension().is_some_and(|e| e == "wasm"))?;
            Some(Built {
                wasm,
                name: m.target?.name.replace('_', "-"),
            })
        })
        .collect();
    let crate_dir = manifest.parent().unwrap_or(manifest).display();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(Fault::new(
            Exit::FAILED,
            "no_module",
            format!("the crate in {crate_dir} makes no module"),
        )
        .help("a task crate has `crate-type = [\"cdylib\"]` in its [lib], or a `fn main`")),
        (Some(last), false) => {
            let names: Vec<&str> = found
                .iter()
                .chain([&last])
                .map(|b| b.name.as_str())
                .collect();
            let title = format!(
                "the crate in {crate_dir} makes several modules: {}",
                names.join(", ")
            );
            Err(Fault::new(Exit::FAILED, "many_modules", title).help(
                "leave one binary in it, or push the one you mean with `wasmhost module push FILE`",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(&str, &str, &str)], want: Result<&str, &str>) {
        let messages: String = lines
            .iter()
            .map(|(manifest, name, file)| {
                let message = serde_json::json!({
                    "reason": "compiler-artifact", "manifest_path": manifest,
                    "target": { "name": name, "kind": ["cdylib"] }, "filenames": [file],
                });
                format!("{message}\n")
            })
            .chain(["{\"reason\":\"build-finished\",\"success\":true}\nnot json\n".into()])
            .collect();
        let got = artifact(&messages, Path::new("/w/a/Cargo.toml"));
        match (got, want) {
            (Ok(built), Ok(want)) => assert_eq!(built.wasm, Path::new(want)),
            (Err(fault), Err(part)) => assert!(fault.to_string().contains(part), "{fault}"),
            (got, want) => panic!("{got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn the_module_of_the_crate_itself_is_found() {
        let dependency = ("/w/b/Cargo.toml", "b", "/t/b.wasm");
        let rlib = ("/w/a/Cargo.toml", "a", "/t/liba.rlib");
        let own = ("/w/a/Cargo.toml", "a_task", "/t/a_task.wasm");
        check(&[dependency, rlib, own], Ok("/t/a_task.wasm"));
        check(&[dependency, rlib], Err("makes no module"));
        check(
            &[own, ("/w/a/Cargo.toml", "other", "/t/other.wasm")],
            Err("a-task, other"),
        );
    }
}
