//! Where things are: the workspace as cargo sees it, and the guests in it.

use crate::steps;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The workspace.
pub(crate) struct Repository {
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// The crates that become task modules, by name.
    pub(crate) guests: Vec<Guest>,
}

/// The workspace of the script engines, below the repository's own.
pub(crate) const ENGINES: &str = "tasks/engines/Cargo.toml";

/// A crate in `tasks/`.
pub(crate) struct Guest {
    /// Its folder below `tasks/`: `echo`, `fixtures/odd`.
    pub(crate) name: String,
    /// Its package.
    pub(crate) package: String,
    /// What rustc calls the module, without `.wasm`.
    pub(crate) file: String,
    /// Whether it is a program rather than a task.
    pub(crate) program: bool,
    /// Whether it is an engine, which has a workspace and a target folder of its own.
    pub(crate) engine: bool,
}

impl Repository {
    pub(crate) fn open() -> Result<Repository> {
        let metadata = metadata(&["--no-deps"])?;
        let target = PathBuf::from(text(&metadata, "target_directory")?);
        let root = Path::new(text(&metadata, "workspace_root")?);
        let tasks = root.join("tasks");
        let mut guests = Vec::new();
        let manifest = root.join(ENGINES);
        let manifest = manifest
            .to_str()
            .context("the repository's path is not UTF-8")?;
        let engines = self::metadata(&["--no-deps", "--manifest-path", manifest])?;
        for (metadata, engine) in [(&metadata, false), (&engines, true)] {
            for package in items(metadata, "packages") {
                let manifest = Path::new(text(package, "manifest_path")?);
                let folder = manifest.parent().and_then(|f| f.strip_prefix(&tasks).ok());
                let Some(folder) = folder else { continue };
                match guest(folder, package, engine)? {
                    Some(guest) => guests.push(guest),
                    // What engines share.
                    None if engine => {}
                    None => bail!(
                        "tasks/{} is neither a cdylib nor a program: set `crate-type = [\"cdylib\", \"rlib\"]`",
                        folder.display()
                    ),
                }
            }
        }
        guests.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Repository { target, guests })
    }

    /// The command line of the product, as `cargo build --workspace` leaves it.
    pub(crate) fn wasmhost(&self) -> PathBuf {
        self.target.join("debug/wasmhost")
    }

    /// Where cargo puts what it builds of a guest.
    pub(crate) fn target_of(&self, guest: &Guest) -> PathBuf {
        match guest.engine {
            true => self.target.join("engines"),
            false => self.target.clone(),
        }
    }

    /// A built module.
    pub(crate) fn module(&self, name: &str) -> PathBuf {
        self.target.join("tasks").join(format!("{name}.wasm"))
    }
}

/// The guest that a package is, if it is one.
fn guest(folder: &Path, package: &Value, engine: bool) -> Result<Option<Guest>> {
    let name = folder.to_string_lossy().replace('\\', "/");
    for target in items(package, "targets") {
        let kinds: Vec<&str> = items(target, "kind").filter_map(Value::as_str).collect();
        let program = kinds == ["bin"];
        if program || kinds.contains(&"cdylib") {
            return Ok(Some(Guest {
                package: text(package, "name")?.to_owned(),
                // Of a library this is an identifier already, of a program it is not.
                file: text(target, "name")?.to_owned(),
                name,
                program,
                engine,
            }));
        }
    }
    Ok(None)
}

/// What `cargo metadata` says, as JSON.
pub(crate) fn metadata(args: &[&str]) -> Result<Value> {
    let output = steps::cargo()
        .args(["metadata", "--format-version", "1"])
        .args(args)
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata gave something else than JSON")
}

/// The items of a list that is a member of an object; none if there is no such list.
pub(crate) fn items<'a>(object: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    object[key].as_array().into_iter().flatten()
}

/// A text that is a member of an object.
pub(crate) fn text<'a>(object: &'a Value, key: &str) -> Result<&'a str> {
    object[key]
        .as_str()
        .with_context(|| format!("cargo metadata names no {key}"))
}
