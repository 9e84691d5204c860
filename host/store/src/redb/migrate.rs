//! Making, recognising and bringing forward the database file.
//!
//! A new file is made under another name and renamed, because a crash in the
//! first commit of redb leaves a file that never opens again.

use super::tables::{
    ATTEMPTS, ENDS, JOBS, KEYS, LIBRARIES, LIVE, META, MODULES, PLANS, SCHEMA, TOKENS, WORKERS,
};
use super::{
    data, definitions, durable_write, keep, prepared, requests, spawned, storage, v1, v2, v3,
};
use crate::StoreError;
use crate::blobs::{BlobError, sync_dir};
use ::redb::{
    Builder, Database, DatabaseError, ReadableDatabase, StorageError, TableError, WriteTransaction,
};
use std::path::{Path, PathBuf};
use wasmhost_proto::limits::STORE_CACHE;

/// The schema that this version writes.
pub const VERSION: u64 = 4;

/// Brings a database from version `from` to the next.
struct Step {
    from: u64,
    apply: fn(&WriteTransaction) -> Result<(), StoreError>,
}

/// Every step that is known, oldest first. Version 1 is the first.
const STEPS: &[Step] = &[
    Step {
        from: 1,
        apply: v1::step,
    },
    Step {
        from: 2,
        apply: v2::step,
    },
    Step {
        from: 3,
        apply: v3::step,
    },
];

/// Why a database file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a database, or one cut short.
    #[error(
        "{}: this is not a wasmhost database, or it was cut short ({why}); \
         restore the file from a backup, or move it away to begin with an empty store", path.display()
    )]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// A database of something else.
    #[error(
        "{}: this is a redb database that wasmhost did not make; \
         give another data directory, or move the file away", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// From a version that this one cannot bring forward.
    #[error(
        "{}: the database has schema version {found}, and this version of wasmhost \
         reads {VERSION}; {help}", path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// What to do.
        help: &'static str,
    },
    /// Another process has it.
    #[error("{}: another process has the database open; stop it first", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The disk, or a damaged page.
    #[error("{}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What failed.
        #[source]
        source: StoreError,
    },
}

/// Opens the database, or makes it when there is no file.
pub(super) fn open(path: &Path) -> Result<Database, OpenError> {
    let failed = |source| OpenError::Store {
        path: path.into(),
        source,
    };
    match path.symlink_metadata() {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => create(path).map_err(failed)?,
        Err(e) => return Err(failed(storage(e))),
    }
    let database = builder().open(path).map_err(|e| refused(path, e))?;
    let found = schema(&database)
        .map_err(failed)?
        .ok_or_else(|| OpenError::Foreign { path: path.into() })?;
    migrate(&database, path, found, STEPS)?;
    Ok(database)
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(STORE_CACHE);
    builder
}

fn refused(path: &Path, error: DatabaseError) -> OpenError {
    let path = path.to_path_buf();
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { path },
        DatabaseError::Storage(StorageError::Corrupted(why)) => {
            OpenError::NotADatabase { path, why }
        }
        DatabaseError::Storage(StorageError::Io(e))
            if matches!(
                e.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ) =>
        {
            OpenError::NotADatabase {
                path,
                why: e.to_string(),
            }
        }
        other => OpenError::Store {
            path,
            source: storage(other),
        },
    }
}

fn create(path: &Path) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(storage(e)),
        _ => {}
    }
    let database = builder().create(&new).map_err(storage)?;
    init(&database)?;
    drop(database);
    let file = std::fs::File::open(&new).map_err(storage)?;
    file.sync_all().map_err(storage)?;
    std::fs::rename(&new, path).map_err(storage)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    sync_dir(dir.unwrap_or(Path::new("."))).map_err(|e: BlobError| storage(e))
}

/// Makes the tables of a new database: readers then take all of them to be there.
pub(super) fn init(database: &Database) -> Result<(), StoreError> {
    durable_write(database, |txn| {
        txn.open_table(JOBS).map_err(storage)?;
        txn.open_table(PLANS).map_err(storage)?;
        txn.open_table(LIVE).map_err(storage)?;
        txn.open_table(KEYS).map_err(storage)?;
        txn.open_table(ENDS).map_err(storage)?;
        txn.open_table(ATTEMPTS).map_err(storage)?;
        txn.open_table(WORKERS).map_err(storage)?;
        txn.open_table(MODULES).map_err(storage)?;
        txn.open_table(LIBRARIES).map_err(storage)?;
        txn.open_table(TOKENS).map_err(storage)?;
        definitions::create(txn)?;
        prepared::create(txn)?;
        spawned::create(txn)?;
        requests::create(txn)?;
        data::create(txn)?;
        keep::create(txn)?;
        set_schema(txn, VERSION)
    })
}

/// The schema version; none in a database that is not ours.
fn schema(database: &Database) -> Result<Option<u64>, StoreError> {
    let txn = database.begin_read().map_err(storage)?;
    match txn.open_table(META) {
        Ok(meta) => Ok(meta
            .get(SCHEMA)
            .map_err(storage)?
            .map(|version| version.value())),
        Err(TableError::Storage(e)) => Err(storage(e)),
        Err(_) => Ok(None),
    }
}

fn set_schema(txn: &WriteTransaction, version: u64) -> Result<(), StoreError> {
    let mut meta = txn.open_table(META).map_err(storage)?;
    meta.insert(SCHEMA, version).map_err(storage)?;
    Ok(())
}

/// Takes every step from `found` to [`VERSION`] in one commit.
fn migrate(database: &Database, path: &Path, found: u64, steps: &[Step]) -> Result<(), OpenError> {
    let refuse = |help| OpenError::Version {
        path: path.into(),
        found,
        help,
    };
    if found == VERSION {
        return Ok(());
    }
    if found > VERSION {
        return Err(refuse(
            "it was written by a newer wasmhost: use that version or a later one",
        ));
    }
    let first = steps
        .iter()
        .position(|step| step.from == found)
        .ok_or_else(|| {
            refuse("it is too old to be brought forward: open it once with an older wasmhost")
        })?;
    durable_write(database, |txn| {
        for step in &steps[first..] {
            (step.apply)(txn)?;
            set_schema(txn, step.from + 1)?;
        }
        Ok(())
    })
    .map_err(|source| OpenError::Store {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::redb::tables::TERM;

    fn raise_term(txn: &WriteTransaction) -> Result<(), StoreError> {
        let mut meta = txn.open_table(META).map_err(storage)?;
        meta.insert(TERM, 70).map_err(storage)?;
        Ok(())
    }

    fn fail(_: &WriteTransaction) -> Result<(), StoreError> {
        Err(StoreError::Damaged {
            table: "meta",
            why: "on purpose".into(),
        })
    }

    /// Migrates a file of version `found`; gives its version and term after it.
    fn migrated(found: u64, steps: &[Step]) -> (Result<(), OpenError>, Option<u64>, Option<u64>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.redb");
        let database = open(&path).unwrap();
        durable_write(&database, |txn| set_schema(txn, found)).unwrap();
        let result = migrate(&database, &path, found, steps);
        let txn = database.begin_read().unwrap();
        let meta = txn.open_table(META).unwrap();
        let get = |key| meta.get(key).unwrap().map(|value| value.value());
        (result, get(SCHEMA), get(TERM))
    }

    #[test]
    fn steps_are_taken_together_or_not_at_all() {
        let step = |from, apply| Step { from, apply };
        let last = VERSION - 1;
        let (result, schema, term) = migrated(last, &[step(last, raise_term)]);
        assert!(result.is_ok());
        assert_eq!((schema, term), (Some(VERSION), Some(70)));

        let (result, schema, term) = migrated(last, &[step(last, raise_term), step(VERSION, fail)]);
        assert!(matches!(result, Err(OpenError::Store { .. })));
        assert_eq!((schema, term), (Some(last), None));

        let (result, schema, _) = migrated(last, &[]);
        assert!(matches!(result, Err(OpenError::Version { .. })));
        assert_eq!(schema, Some(last));
    }
}
