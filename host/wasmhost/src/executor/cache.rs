//! Compiled modules on disk, named by module digest and engine settings. Only
//! files that this worker wrote are ever handed out: each carries a MAC under
//! a key that never leaves its folder. Bounded in bytes, oldest use goes first.

use super::compile;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use thiserror::Error;
use tokio::sync::Semaphore;
use wasmhost_proto::Digest;
use wasmhost_proto::limits::{MAX_COMPILES, MAX_REJECTED_MODULES};
use wasmhost_proto::module::ModuleKind;

const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const CODE: &str = "code";
const MAC: &str = "mac";

/// Why there is no compiled module.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(crate) enum CompileFailure {
    /// The module is at fault: another try would end the same way.
    #[error("the module was rejected: {0}")]
    Rejected(String),
    /// The worker is at fault: disk, memory, the compiler's process.
    #[error("the module could not be compiled: {0}")]
    Fault(String),
}

impl From<io::Error> for CompileFailure {
    fn from(error: io::Error) -> CompileFailure {
        CompileFailure::Fault(format!("the cache of compiled modules: {error}"))
    }
}

/// A worker's compiled modules. Clones share one cache.
#[derive(Clone)]
pub(crate) struct CompileCache(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    max_bytes: u64,
    program: PathBuf,
    /// The engine's settings, part of every name.
    engine: String,
    key: [u8; KEY_BYTES],
    compiles: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<String, Entry>,
    rejected: VecDeque<(String, String)>,
    /// One lock for each name that somebody is at.
    flights: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
    clock: u64,
}

struct Entry {
    len: u64,
    used: u64,
    /// Its MAC was checked, or written, by this process.
    verified: bool,
}

impl CompileCache {
    /// Opens the cache in `dir`, which is made for this user alone if it is
    /// missing. Files of other engines or of no known name are removed.
    pub(crate) fn open(dir: &Path, max_bytes: u64, program: PathBuf) -> io::Result<CompileCache> {
        fs::create_dir_all(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
        let engine = wasmhost_sandbox::compatibility().map_err(io::Error::other)?;
        let cache = CompileCache(Arc::new(Inner {
            dir: dir.into(),
            max_bytes,
            program,
            key: load_key(&dir.join(KEY_FILE))?,
            state: Mutex::new(survey(dir, &engine)?),
            engine,
            compiles: Semaphore::new(MAX_COMPILES),
        }));
        cache.0.evict(None);
        Ok(cache)
    }

    /// The compiled form of the module in the file `wasm`, whose digest is
    /// known to be `digest`. Calls that ask for one module at the same time
    /// share one compile; `on_compile` is called if it takes one.
    pub(crate) async fn get(
        &self,
        wasm: &Path,
        digest: Digest,
        kind: ModuleKind,
        on_compile: impl FnOnce(),
    ) -> Result<PathBuf, CompileFailure> {
        let inner = &self.0;
        let name = format!("{}-{kind:?}-{}", digest.hex(), inner.engine);
        let flight = inner
            .lock()
            .flights
            .entry(name.clone())
            .or_default()
            .clone();
        let result = {
            let _alone = flight.lock().await;
            self.get_alone(wasm, &name, kind, on_compile).await
        };
        let mut state = inner.lock();
        // This one's and the map's: nobody waits any more.
        if Arc::strong_count(&flight) == 2 {
            state.flights.remove(&name);
        }
        result
    }

    async fn get_alone(
        &self,
        wasm: &Path,
        name: &str,
        kind: ModuleKind,
        on_compile: impl FnOnce(),
    ) -> Result<PathBuf, CompileFailure> {
        let inner = &self.0;
        let path = inner.dir.join(name).with_extension(CODE);
        match inner.lookup(name)? {
            Known::Ready => return Ok(path),
            Known::Unchecked => {
                let (this, name) = (self.clone(), name.to_owned());
                let checked = tokio::task::spawn_blocking(move || this.0.verify(&name));
                match checked.await.map_err(io::Error::other)? {
                    Ok(()) => return Ok(path),
                    Err(error) => tracing::warn!(
                        "compiled module {} is not as this worker wrote it and is made anew: {error}",
                        path.display()
                    ),
                }
            }
            Known::No => {}
        }
        on_compile();
        let _turn = inner.compiles.acquire().await.map_err(io::Error::other)?;
        if let Err(failure) = compile::compile(&inner.program, wasm, &path, kind).await {
            if let CompileFailure::Rejected(reason) = &failure {
                inner.reject(name, reason);
            }
            return Err(failure);
        }
        let (this, sealed) = (self.clone(), name.to_owned());
        let seal = tokio::task::spawn_blocking(move || this.0.seal(&sealed));
        seal.await.map_err(io::Error::other)??;
        inner.evict(Some(name));
        Ok(path)
    }
}

enum Known {
    Ready,
    Unchecked,
    No,
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.dir.join(name).with_extension(extension)
    }

    fn lookup(&self, name: &str) -> Result<Known, CompileFailure> {
        let mut state = self.lock();
        if let Some((_, reason)) = state.rejected.iter().find(|(known, _)| known == name) {
            return Err(CompileFailure::Rejected(reason.clone()));
        }
        state.clock += 1;
        let now = state.clock;
        Ok(match state.entries.get_mut(name) {
            None => Known::No,
            Some(entry) => {
                entry.used = now;
                match entry.verified && self.file(name, CODE).exists() {
                    true => Known::Ready,
                    false => Known::Unchecked,
                }
            }
        })
    }

    fn reject(&self, name: &str, reason: &str) {
        let mut state = self.lock();
        state.rejected.push_back((name.into(), reason.into()));
        if state.rejected.len() > MAX_REJECTED_MODULES {
            state.rejected.pop_front();
        }
    }

    /// The MAC of a file under its name, as far as it has been fed, and its length.
    fn mac(&self, name: &str) -> io::Result<(Hmac<Sha256>, u64)> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).map_err(io::Error::other)?;
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
        let mut file = File::open(self.file(name, CODE))?;
        let mut buffer = vec![0; 256 << 10];
        let mut len = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok((mac, len)),
                n => {
                    mac.update(&buffer[..n]);
                    len += n as u64;
                }
            }
        }
    }

    /// Checks a file of an earlier process; a wrong one is removed.
    fn verify(&self, name: &str) -> io::Result<()> {
        let check = || {
            let expected = fs::read(self.file(name, MAC))?;
            let (mac, _) = self.mac(name)?;
            mac.verify_slice(&expected).map_err(io::Error::other)
        };
        let result = check();
        let mut state = self.lock();
        match (&result, state.entries.get_mut(name)) {
            (Ok(()), Some(entry)) => entry.verified = true,
            _ => {
                state.entries.remove(name);
                self.remove(name);
            }
        }
        result
    }

    /// Signs a file that was just compiled, and counts it in.
    fn seal(&self, name: &str) -> io::Result<()> {
        let (mac, len) = self.mac(name)?;
        fs::write(self.file(name, MAC), mac.finalize().into_bytes())?;
        let mut state = self.lock();
        state.clock += 1;
        let used = state.clock;
        let verified = true;
        let entry = Entry {
            len,
            used,
            verified,
        };
        state.entries.insert(name.into(), entry);
        Ok(())
    }

    /// Removes what was used longest ago until the rest fits. `keep` stays:
    /// somebody is about to load it. Executors that have a removed file mapped
    /// keep it.
    fn evict(&self, keep: Option<&str>) {
        let mut state = self.lock();
        let mut total: u64 = state.entries.values().map(|e| e.len).sum();
        while total > self.max_bytes {
            let others = state
                .entries
                .iter()
                .filter(|(name, _)| Some(name.as_str()) != keep);
            let Some((name, entry)) = others.min_by_key(|(_, entry)| entry.used) else {
                return;
            };
            total -= entry.len;
            let name = name.clone();
            state.entries.remove(&name);
            self.remove(&name);
        }
    }

    fn remove(&self, name: &str) {
        for extension in [CODE, MAC] {
            let path = self.file(name, extension);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

/// The key, made at the first start.
fn load_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    if let Ok(bytes) = fs::read(path)
        && let Ok(key) = bytes.try_into()
    {
        return Ok(key);
    }
    // A missing or torn key: every file here is made anew under another one.
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|e| io::Error::other(e.to_string()))?;
    let temp = path.with_extension("new");
    if temp.exists() {
        fs::remove_file(&temp)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temp)?;
    file.write_all(&key)?;
    file.sync_all()?;
    fs::rename(&temp, path)?;
    Ok(key)
}

/// What is there, oldest first by the time of its making.
fn survey(dir: &Path, engine: &str) -> io::Result<State> {
    let mut found: Vec<(SystemTime, String, u64)> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == KEY_FILE {
            continue;
        }
        let stem = name.strip_suffix(&format!(".{CODE}"));
        let stem = stem.or(name.strip_suffix(&format!(".{MAC}")));
        match stem.filter(|stem| stem.ends_with(&format!("-{engine}"))) {
            Some(stem) if name.ends_with(CODE) => {
                let meta = entry.metadata()?;
                found.push((meta.modified()?, stem.into(), meta.len()));
            }
            Some(stem) if dir.join(stem).with_extension(CODE).exists() => {}
            _ => fs::remove_file(entry.path())?,
        }
    }
    found.sort();
    let mut state = State::default();
    for (_, name, len) in found {
        state.clock += 1;
        let used = state.clock;
        let verified = false;
        let entry = Entry {
            len,
            used,
            verified,
        };
        state.entries.insert(name, entry);
    }
    Ok(state)
}
