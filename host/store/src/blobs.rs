//! Large content as files named by their SHA-256: `DIR/sha256/ab/cdef…`.
//!
//! A file under its name is whole and on disk: it is written elsewhere, synced,
//! then renamed. Knows nothing of who names a blob; collecting what nobody names
//! is told what is named.

use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tempfile::NamedTempFile;
use wasmhost_proto::Digest;
use wasmhost_proto::input::BlobRef;

/// Why a blob could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// More bytes than the writer may take.
    #[error("the content is over its limit of {max} bytes")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// The disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl From<BlobError> for io::Error {
    fn from(error: BlobError) -> io::Error {
        match &error {
            BlobError::TooLarge { .. } => io::Error::new(io::ErrorKind::FileTooLarge, error),
            BlobError::Io { source, .. } => io::Error::new(source.kind(), error),
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BlobError + '_ {
    move |source| BlobError::Io {
        path: path.into(),
        source,
    }
}

/// What [`Blobs::collect`] took away.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Collected {
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A folder of blobs. One process at a time may own it.
#[derive(Clone)]
pub struct Blobs {
    root: Arc<Root>,
}

struct Root {
    content: PathBuf,
    temporary: PathBuf,
    /// Held while a name appears, is made young or goes, so that collecting
    /// cannot take a file that a writer has just found to exist.
    names: Mutex<()>,
}

impl Blobs {
    /// Opens the folder, makes it when it is not there, and removes what
    /// unfinished writers left.
    pub fn open(dir: &Path) -> Result<Blobs, BlobError> {
        let root = Root {
            content: dir.join("sha256"),
            temporary: dir.join("tmp"),
            names: Mutex::new(()),
        };
        for path in [&root.content, &root.temporary] {
            fs::create_dir_all(path).map_err(at(path))?;
        }
        for entry in fs::read_dir(&root.temporary).map_err(at(&root.temporary))? {
            let path = entry.map_err(at(&root.temporary))?.path();
            fs::remove_file(&path).map_err(at(&path))?;
        }
        // A crash may have come between a rename and its sync.
        for fan in fs::read_dir(&root.content).map_err(at(&root.content))? {
            sync_dir(&fan.map_err(at(&root.content))?.path())?;
        }
        sync_dir(&root.content)?;
        sync_dir(dir)?;
        Ok(Blobs {
            root: Arc::new(root),
        })
    }

    /// Begins a blob of up to `max_len` bytes.
    pub fn begin(&self, max_len: u64) -> Result<BlobWriter, BlobError> {
        let dir = &self.root.temporary;
        Ok(BlobWriter {
            root: self.root.clone(),
            file: NamedTempFile::new_in(dir).map_err(at(dir))?,
            hash: Sha256::new(),
            len: 0,
            max_len,
        })
    }

    /// The length of a blob; none when it is not here.
    pub fn len(&self, digest: Digest) -> Result<Option<u64>, BlobError> {
        let path = self.path(digest);
        match fs::metadata(&path) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(at(&path)(e)),
        }
    }

    /// Whether a blob is here.
    pub fn contains(&self, digest: Digest) -> Result<bool, BlobError> {
        Ok(self.len(digest)?.is_some())
    }

    /// The length of a blob, made young again: whoever is about to commit a
    /// record that names it calls this first, and has the age given to
    /// [`Blobs::collect`] to do so. None when it is not here.
    pub fn keep(&self, digest: Digest) -> Result<Option<u64>, BlobError> {
        let _names = self.root.names();
        let path = self.path(digest);
        match touch(&path) {
            Ok(len) => Ok(Some(len)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(at(&path)(e)),
        }
    }

    /// A blob to read, and its length; none when it is not here. The open file
    /// stays whole when the blob is collected meanwhile.
    pub fn open_file(&self, digest: Digest) -> Result<Option<(File, u64)>, BlobError> {
        let path = self.path(digest);
        let opened = File::open(&path).and_then(|file| {
            let len = file.metadata()?.len();
            Ok((file, len))
        });
        match opened {
            Ok(opened) => Ok(Some(opened)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(at(&path)(e)),
        }
    }

    /// Where a blob is or would be.
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.root.path(digest)
    }

    /// Removes a blob, if it begins as expected: what is no one else's says so there.
    pub fn remove(&self, digest: Digest, begins: &[u8]) -> Result<bool, BlobError> {
        let Some((file, _)) = self.open_file(digest)? else {
            return Ok(false);
        };
        let path = self.path(digest);
        let mut found = Vec::with_capacity(begins.len());
        let mut start = file.take(begins.len() as u64);
        start.read_to_end(&mut found).map_err(at(&path))?;
        if found != begins {
            return Ok(false);
        }
        let _names = self.root.names();
        fs::remove_file(&path).map_err(at(&path))?;
        Ok(true)
    }

    /// Removes blobs that are not in `named` and were last written or kept
    /// before `older_than`.
    pub fn collect(
        &self,
        named: &HashSet<Digest>,
        older_than: SystemTime,
    ) -> Result<Collected, BlobError> {
        let mut collected = Collected::default();
        let content = &self.root.content;
        for fan in fs::read_dir(content).map_err(at(content))? {
            let fan = fan.map_err(at(content))?.path();
            for entry in fs::read_dir(&fan).map_err(at(&fan))? {
                let path = entry.map_err(at(&fan))?.path();
                match digest_of(&path) {
                    Some(digest) if !named.contains(&digest) => {}
                    _ => continue,
                }
                let _names = self.root.names();
                let meta = fs::metadata(&path).map_err(at(&path))?;
                if meta.modified().map_err(at(&path))? < older_than {
                    fs::remove_file(&path).map_err(at(&path))?;
                    collected.files += 1;
                    collected.bytes += meta.len();
                }
            }
        }
        Ok(collected)
    }
}

impl Root {
    fn path(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        self.content.join(&hex[..2]).join(&hex[2..])
    }

    fn names(&self) -> MutexGuard<'_, ()> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest that a path of the store stands for; none for foreign files.
fn digest_of(path: &Path) -> Option<Digest> {
    let rest = path.file_name()?.to_str()?;
    let fan = path.parent()?.file_name()?.to_str()?;
    format!("{fan}{rest}").parse().ok()
}

fn touch(path: &Path) -> io::Result<u64> {
    let file = File::options().append(true).open(path)?;
    file.set_modified(SystemTime::now())?;
    Ok(file.metadata()?.len())
}

/// Makes renames and new names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), BlobError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(at(dir))
}

/// A blob being written. Dropped unfinished it leaves nothing.
pub struct BlobWriter {
    root: Arc<Root>,
    file: NamedTempFile,
    hash: Sha256,
    len: u64,
    max_len: u64,
}

impl BlobWriter {
    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        if bytes.len() as u64 > self.max_len - self.len {
            return Err(BlobError::TooLarge { max: self.max_len });
        }
        self.file.write_all(bytes).map_err(at(self.file.path()))?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.len
    }

    /// Gives the blob its name. It is durable when this returns.
    pub fn finish(self) -> Result<BlobRef, BlobError> {
        let blob = BlobRef {
            digest: Digest(self.hash.finalize().into()),
            len: self.len,
        };
        let path = self.root.path(blob.digest);
        self.file
            .as_file()
            .sync_all()
            .map_err(at(self.file.path()))?;
        let _names = self.root.names();
        // The same content again needs no second copy; another length under the
        // name would be a damaged file, which the rename replaces.
        if touch(&path).is_ok_and(|len| len == blob.len) {
            return Ok(blob);
        }
        let fan = path.parent().unwrap_or(&self.root.content);
        if !fan.exists() {
            fs::create_dir_all(fan).map_err(at(fan))?;
            sync_dir(&self.root.content)?;
        }
        self.file.persist(&path).map_err(|e| at(&path)(e.error))?;
        sync_dir(fan)?;
        Ok(blob)
    }
}
