//! Where things are: the product, the guests, and a folder on a real disk for
//! what the scenarios write.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The folders of this build.
#[derive(Clone)]
pub(crate) struct Place {
    target: PathBuf,
}

impl Place {
    /// From where this program lies.
    pub(crate) fn find() -> Result<Place> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let target = program.parent().and_then(Path::parent);
        let target = target.context("this program lies in no target folder")?;
        let place = Place {
            target: target.to_owned(),
        };
        let program = place.wasmhost();
        anyhow::ensure!(
            program.is_file(),
            "there is no {}: run `cargo build --release --workspace`",
            program.display()
        );
        Ok(place)
    }

    /// The product's program, beside this one.
    pub(crate) fn wasmhost(&self) -> PathBuf {
        self.target.join("release/wasmhost")
    }

    /// A guest, as `cargo xtask build-tasks` leaves it: `echo`, `fixtures/noop`.
    pub(crate) fn guest(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.target.join("tasks").join(format!("{name}.wasm"));
        fs::read(&path).with_context(|| {
            format!(
                "cannot read {}: run `cargo xtask build-tasks`",
                path.display()
            )
        })
    }

    /// Where results go.
    pub(crate) fn results(&self) -> PathBuf {
        self.target.join("bench")
    }

    /// A new folder on the disk of the build, removed when it is dropped.
    pub(crate) fn folder(&self) -> Result<Folder> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self
            .results()
            .join(format!("tmp/{}-{number}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder(path))
    }
}

/// A folder that goes when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind costs space and nothing else.
        let _ = fs::remove_dir_all(&self.0);
    }
}
