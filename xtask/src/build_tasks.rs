//! `build-tasks`: every crate in `tasks/` to a module in `target/tasks`, script
//! engines among them, and a table of what came out. Programs are also built for preview 1, as `NAME-p1`.

use crate::repository::{ENGINES, Guest, Repository};
use crate::steps;
use crate::toolchain::{self, WASIP1, WASIP2};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// The profile in `Cargo.toml`.
const PROFILE: &str = "guest";

pub(crate) fn run(names: &[&str]) -> Result<()> {
    let repository = Repository::open()?;
    let chosen = choose(&repository.guests, names)?;
    toolchain::ensure(WASIP2)?;
    // Interpreters take minutes: what is small comes first.
    let (engines, tasks): (Vec<&Guest>, _) = chosen.iter().partition(|guest| guest.engine);
    for guests in [tasks, engines] {
        if !guests.is_empty() {
            build(&repository, &guests, WASIP2)?;
        }
    }
    let programs: Vec<&Guest> = chosen.iter().copied().filter(|g| g.program).collect();
    if !programs.is_empty() {
        toolchain::ensure(WASIP1)?;
        build(&repository, &programs, WASIP1)?;
    }

    let width = chosen.iter().map(|g| g.name.len() + 3).max().unwrap_or(0);
    println!("{:width$}  {:<9} {:>8}  sha256", "module", "kind", "bytes");
    for guest in chosen {
        let kind = if guest.program { "command" } else { "task" };
        publish(&repository, guest, WASIP2, "", kind, width)?;
        if guest.program {
            publish(&repository, guest, WASIP1, "-p1", "preview 1", width)?;
        }
    }
    Ok(())
}

/// Those that are named, by folder or its last part; all when none is.
fn choose<'a>(guests: &'a [Guest], names: &[&str]) -> Result<Vec<&'a Guest>> {
    let is = |guest: &Guest, name: &str| {
        guest.name == name || guest.name.rsplit('/').next() == Some(name)
    };
    if let Some(unknown) = names
        .iter()
        .find(|name| !guests.iter().any(|guest| is(guest, name)))
    {
        let all: Vec<&str> = guests.iter().map(|guest| guest.name.as_str()).collect();
        bail!(
            "there is no task '{unknown}' in tasks/: there are {}",
            all.join(", ")
        );
    }
    let wanted = |guest: &&Guest| names.is_empty() || names.iter().any(|name| is(guest, name));
    Ok(guests.iter().filter(wanted).collect())
}

/// Builds guests of one workspace.
fn build(repository: &Repository, guests: &[&Guest], target: &str) -> Result<()> {
    let manifest = guests.iter().find(|guest| guest.engine).map(|_| ENGINES);
    let manifest = manifest
        .into_iter()
        .flat_map(|path| ["--manifest-path", path]);
    let folder = guests.first().map(|guest| repository.target_of(guest));
    let packages = guests
        .iter()
        .flat_map(|guest| ["--package", &guest.package]);
    steps::run(
        steps::cargo()
            .args(["build", "--profile", PROFILE, "--target", target])
            .args(packages)
            .args(manifest)
            .arg("--target-dir")
            .args(folder),
    )
    .with_context(|| format!("the tasks could not be built for {target}"))
}

/// Copies a module to where tests, the demonstration and people look for it.
fn publish(
    repository: &Repository,
    guest: &Guest,
    target: &str,
    suffix: &str,
    kind: &str,
    width: usize,
) -> Result<()> {
    let built = repository.target_of(guest).join(target).join(PROFILE);
    let bytes = read(&built.join(format!("{}.wasm", guest.file)))?;
    let name = format!("{}{suffix}", guest.name);
    let module = repository.module(&name);
    if let Some(folder) = module.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    fs::write(&module, &bytes).with_context(|| format!("cannot write {}", module.display()))?;
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    println!("{name:width$}  {kind:<9} {:>8}  {digest}", bytes.len());
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cargo built no {}", path.display()))
}
