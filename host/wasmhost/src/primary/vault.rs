//! The operator's secrets: a file each in a folder of the data directory, sealed with a key
//! that lies in a file of its own, readable to this account alone. Tells names and where each
//! may go to whoever asks; values only to what is sent to workers.

use super::handle::Handle;
use anyhow::{Context as _, bail};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use wasmhost_proto::Timestamp;
use wasmhost_proto::api::SecretView;
use wasmhost_proto::limits::MAX_SECRETS;
use wasmhost_proto::reach::Reach;
use wasmhost_proto::secret::Secret;
use wasmhost_proto::wire::NodeSpec;

/// What begins a sealed file; the next form has another.
const FORM: &[u8] = b"wasmhost secret 1\n";
const KEY_LEN: usize = 32;

/// All secrets of a primary.
pub(crate) struct Vault {
    dir: PathBuf,
    key: LessSafeKey,
    kept: RwLock<BTreeMap<String, Kept>>,
}

impl Handle {
    /// The operator's secrets.
    pub(crate) fn vault(&self) -> &Arc<Vault> {
        &self.shared.vault
    }
}

/// What is sealed.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    value: String,
    to: Vec<Reach>,
    reveal: bool,
    changed: Timestamp,
}

impl Vault {
    /// Opens the folder with the key in `key`, which is made when there is none and nothing
    /// is sealed yet.
    pub(crate) fn open(dir: PathBuf, key: &Path) -> anyhow::Result<Vault> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.with_context(|| format!("cannot make the folder {}", dir.display()))?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // Temporary ones are what a crash has left.
            if !name.starts_with('.') {
                files.push(name);
            }
        }
        let key = read_key(key, files.is_empty())?;
        let mut kept = BTreeMap::new();
        for name in files {
            let path = dir.join(&name);
            let sealed = fs::read(&path);
            let sealed = sealed.with_context(|| format!("cannot read {}", path.display()))?;
            let opened = unseal(&key, &name, sealed);
            let opened = opened.with_context(|| {
                let path = path.display();
                format!("cannot open the secret {path}: it was sealed with another key, or changed")
            })?;
            kept.insert(name, opened);
        }
        let kept = RwLock::new(kept);
        Ok(Vault { dir, key, kept })
    }

    /// Keeps a secret, durably, in the place of one of its name. False when there are too many.
    pub(crate) fn set(&self, secret: Secret, now: Timestamp) -> anyhow::Result<bool> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_SECRETS && !kept.contains_key(&secret.name) {
            return Ok(false);
        }
        let new = Kept {
            value: secret.value,
            to: secret.to,
            reveal: secret.reveal,
            changed: now,
        };
        let sealed = seal(&self.key, &secret.name, &new)?;
        let write = || {
            // Temporary files are made 0600.
            let mut file = tempfile::Builder::new()
                .prefix(".")
                .tempfile_in(&self.dir)?;
            file.write_all(&sealed)?;
            file.as_file().sync_all()?;
            file.persist(self.dir.join(&secret.name))?;
            File::open(&self.dir)?.sync_all()
        };
        let written: io::Result<()> = write();
        written.with_context(|| format!("cannot write to {}", self.dir.display()))?;
        kept.insert(secret.name, new);
        Ok(true)
    }

    /// Forgets a secret. False when there is none of that name.
    pub(crate) fn remove(&self, name: &str) -> anyhow::Result<bool> {
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.remove(name).is_none() {
            return Ok(false);
        }
        let path = self.dir.join(name);
        fs::remove_file(&path)
            .and_then(|()| File::open(&self.dir)?.sync_all())
            .with_context(|| format!("cannot remove {}", path.display()))?;
        Ok(true)
    }

    /// All of them, without their values.
    pub(crate) fn views(&self) -> Vec<SecretView> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let views = kept.iter().map(|(name, kept)| SecretView {
            name: name.clone(),
            to: kept.to.iter().map(Reach::to_string).collect(),
            reveal: kept.reveal,
            changed: kept.changed,
        });
        views.collect()
    }

    /// Whether there is one of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.contains_key(name)
    }

    /// Adds the secrets that a node asks for to what its workers are told of it.
    pub(super) fn tell(&self, spec: &mut NodeSpec) {
        let asked = spec.grants.as_deref().map(|grants| &grants.secrets);
        if let Some(names) = asked.filter(|names| !names.is_empty()) {
            spec.secrets = Some(Box::new(self.named(names)));
        }
    }

    /// Those of these names that there are, with their values.
    fn named(&self, names: &[String]) -> Vec<Secret> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let found = names.iter().filter_map(|name| {
            let kept = kept.get(name)?.clone();
            Some(Secret {
                name: name.clone(),
                value: kept.value,
                to: kept.to,
                reveal: kept.reveal,
            })
        });
        found.collect()
    }
}

/// The key of a file, which nobody else may read.
fn read_key(path: &Path, may_make: bool) -> anyhow::Result<LessSafeKey> {
    let shown = path.display();
    let bytes = match fs::read(path) {
        Ok(bytes) => {
            if fs::metadata(path)?.mode() & 0o077 != 0 {
                bail!("others can read the key file {shown}: `chmod 600 {shown}`");
            }
            bytes
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && may_make => make_key(path)?,
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read the key file {shown}"));
        }
    };
    if bytes.len() != KEY_LEN {
        bail!(
            "the key file {shown} has {} bytes, and not {KEY_LEN}",
            bytes.len()
        );
    }
    match UnboundKey::new(&AES_256_GCM, &bytes) {
        Ok(key) => Ok(LessSafeKey::new(key)),
        Err(_) => bail!("the key file {shown} holds no key"),
    }
}

fn make_key(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut key = vec![0; KEY_LEN];
    getrandom::fill(&mut key).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&key)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        File::open(dir)?.sync_all()
    };
    let written: io::Result<()> = write();
    written.with_context(|| format!("cannot write the key file {}", path.display()))?;
    Ok(key)
}

/// The file of a secret. Its name is sealed with it: files cannot be exchanged.
fn seal(key: &LessSafeKey, name: &str, kept: &Kept) -> anyhow::Result<Vec<u8>> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
    let mut bytes = serde_json::to_vec(kept)?;
    let named = Aad::from(name.as_bytes());
    let sealed =
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), named, &mut bytes);
    if sealed.is_err() {
        bail!("the secret '{name}' cannot be sealed");
    }
    Ok([FORM, &nonce, &bytes].concat())
}

fn unseal(key: &LessSafeKey, name: &str, sealed: Vec<u8>) -> Option<Kept> {
    let rest = sealed.strip_prefix(FORM)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
    let mut rest = rest.to_vec();
    let named = Aad::from(name.as_bytes());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = key.open_in_place(nonce, named, &mut rest).ok()?;
    serde_json::from_slice(opened).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn secret(name: &str, value: &str) -> Secret {
        Secret {
            name: name.into(),
            value: value.into(),
            to: vec!["GET https://a.example".parse().unwrap()],
            reveal: false,
        }
    }

    #[test]
    fn secrets_are_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, key) = (dir.path().join("secrets"), dir.path().join("secrets.key"));
        let open = || Vault::open(folder.clone(), &key);
        let vault = open().unwrap();
        let now = Timestamp(7);
        assert!(vault.set(secret("one", "hunter2"), now).unwrap());
        assert!(vault.set(secret("two", "other"), now).unwrap());
        assert!(vault.set(secret("one", "hunter3"), now).unwrap());
        assert!(vault.remove("two").unwrap() && !vault.remove("two").unwrap());
        drop(vault);
        let names = || vec!["one".to_owned(), "two".into()];
        let vault = open().unwrap();
        assert_eq!(vault.named(&names()), [secret("one", "hunter3")]);
        assert_eq!(vault.views().len(), 1);

        // Nothing of it can be read, and only by us.
        for path in [&key, &folder.join("one")] {
            assert_eq!(
                fs::metadata(path).unwrap().mode() & 0o777,
                0o600,
                "{path:?}"
            );
            let bytes = fs::read(path).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(
                !text.contains("hunter") && !text.contains("example"),
                "{path:?}"
            );
        }

        let refused = |what: &str| match open() {
            Ok(_) => panic!("{what} was taken"),
            Err(error) => format!("{error:#}"),
        };
        // Under another name, changed, with another key, without one, for all to read.
        fs::copy(folder.join("one"), folder.join("three")).unwrap();
        assert!(refused("a copy").contains("three"));
        fs::remove_file(folder.join("three")).unwrap();
        let good = fs::read(folder.join("one")).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        fs::write(folder.join("one"), bad).unwrap();
        assert!(refused("a change").contains("another key, or changed"));
        fs::write(folder.join("one"), good).unwrap();
        let right = fs::read(&key).unwrap();
        fs::write(&key, [7; KEY_LEN]).unwrap();
        assert!(refused("a key").contains("another key, or changed"));
        fs::write(&key, [7; 3]).unwrap();
        assert!(refused("a short key").contains("3 bytes"));
        fs::remove_file(&key).unwrap();
        assert!(refused("no key").contains("cannot read the key file"));
        fs::write(&key, right).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(refused("an open key").contains("chmod 600"));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(open().is_ok());
    }
}
