//! Blobs on a real disk: names, crash leftovers, collection.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, SystemTime};
use wasmhost_proto::Digest;
use wasmhost_proto::input::BlobRef;
use wasmhost_store::{BlobError, Blobs, Collected};

const MAX: u64 = 1 << 20;

fn put(blobs: &Blobs, parts: &[&[u8]]) -> BlobRef {
    let mut writer = blobs.begin(MAX).unwrap();
    parts.iter().for_each(|part| writer.write(part).unwrap());
    writer.finish().unwrap()
}

fn leftovers(dir: &Path) -> usize {
    fs::read_dir(dir.join("tmp")).unwrap().count()
}

/// Makes a blob look as old as 1970.
fn age(blobs: &Blobs, blob: &BlobRef) {
    let file = fs::File::options()
        .append(true)
        .open(blobs.path(blob.digest))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
}

#[test]
fn content_is_found_under_its_sha256() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).unwrap();
    for (parts, digest) in [
        // FIPS 180-2, appendix B.1, and the empty message.
        (
            [&b"a"[..], b"", b"bc"],
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            [&b""[..], b"", b""],
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
    ] {
        let blob = put(&blobs, &parts);
        assert_eq!(blob.digest.to_string(), digest);
        let (mut file, len) = blobs.open_file(blob.digest).unwrap().unwrap();
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert_eq!((&read, len), (&parts.concat(), blob.len));
        assert_eq!(blobs.len(blob.digest).unwrap(), Some(blob.len));
        assert_eq!(
            put(&blobs, &parts),
            blob,
            "the same content is the same blob"
        );
    }
    assert_eq!(leftovers(dir.path()), 0);
}

#[test]
fn a_blob_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).unwrap();
    let digest = Digest([7; 32]);
    assert_eq!(blobs.len(digest).unwrap(), None);
    assert_eq!(blobs.keep(digest).unwrap(), None);
    assert!(!blobs.contains(digest).unwrap());
    assert!(blobs.open_file(digest).unwrap().is_none());
}

#[test]
fn a_writer_stops_at_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).unwrap();
    let mut writer = blobs.begin(3).unwrap();
    writer.write(b"abc").unwrap();
    assert!(matches!(
        writer.write(b"d"),
        Err(BlobError::TooLarge { max: 3 })
    ));
    assert_eq!(writer.finish().unwrap().len, 3);
}

#[test]
fn unfinished_writers_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).unwrap();
    let mut writer = blobs.begin(MAX).unwrap();
    writer.write(b"half").unwrap();
    assert_eq!(leftovers(dir.path()), 1);
    drop(writer);
    assert_eq!(leftovers(dir.path()), 0);
    // A crash runs no destructor.
    let mut writer = blobs.begin(MAX).unwrap();
    writer.write(b"half").unwrap();
    std::mem::forget(writer);
    assert_eq!(leftovers(dir.path()), 1);
    let whole = put(&blobs, &[b"whole"]);
    let blobs = Blobs::open(dir.path()).unwrap();
    assert_eq!(leftovers(dir.path()), 0);
    assert!(blobs.contains(whole.digest).unwrap());
}

#[test]
fn a_damaged_file_is_replaced_by_the_content() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).unwrap();
    let blob = put(&blobs, &[b"content"]);
    fs::write(blobs.path(blob.digest), b"cont").unwrap();
    assert_eq!(put(&blobs, &[b"content"]), blob);
    assert_eq!(fs::read(blobs.path(blob.digest)).unwrap(), b"content");
}

#[test]
fn collecting_keeps_what_is_named_young_or_foreign() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path()).unwrap();
    let [old, named, kept, again] = [&b"old"[..], b"named", b"kept", b"again"].map(|content| {
        let blob = put(&blobs, &[content]);
        age(&blobs, &blob);
        blob
    });
    let young = put(&blobs, &[b"young"]);
    let foreign = blobs.path(old.digest).with_file_name("notes.txt");
    fs::write(&foreign, "mine").unwrap();
    fs::File::options()
        .append(true)
        .open(&foreign)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(blobs.keep(kept.digest).unwrap(), Some(kept.len));
    assert_eq!(put(&blobs, &[b"again"]), again);
    let (mut open, _) = blobs.open_file(old.digest).unwrap().unwrap();

    let older_than = SystemTime::now() - Duration::from_secs(3600);
    let collected = blobs
        .collect(&HashSet::from([named.digest]), older_than)
        .unwrap();

    assert_eq!(
        collected,
        Collected {
            files: 1,
            bytes: old.len
        }
    );
    assert!(!blobs.contains(old.digest).unwrap());
    for blob in [&named, &kept, &again, &young] {
        assert!(blobs.contains(blob.digest).unwrap());
    }
    assert!(foreign.exists());
    let mut read = String::new();
    open.read_to_string(&mut read).unwrap();
    assert_eq!(read, "old", "an open file outlives its name");
}
