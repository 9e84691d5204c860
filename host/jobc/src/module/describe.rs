//! A manifest put into a component in the place of the one that it has.

use super::manifest;
use wasmhost_proto::module::{MANIFEST_SECTION, Manifest};
use wasmparser::BinaryReader;

/// The magic number and the version of a module.
const PREAMBLE: usize = 8;

/// `component` with its manifest, a section behind all others. How it is started, what it
/// wants and what it was made from stays as it was said before. The same component and
/// manifest give the same bytes.
pub fn describe(component: &[u8], manifest: &Manifest) -> Vec<u8> {
    let known = manifest::of_admitted(component);
    let written = Manifest {
        entry: known.entry,
        wants: known.wants,
        made_from: known.made_from,
        ..manifest.clone()
    };
    let mut bytes = without(component);
    manifest::append(&mut bytes, &written);
    bytes
}

/// A module without a manifest at its top. What cannot be read as a section is kept.
fn without(module: &[u8]) -> Vec<u8> {
    let (preamble, mut rest) = module.split_at(module.len().min(PREAMBLE));
    let mut kept = preamble.to_vec();
    while let Some(len) = section(rest) {
        let (section, after) = rest.split_at(len);
        if !is_manifest(section) {
            kept.extend_from_slice(section);
        }
        rest = after;
    }
    kept.extend_from_slice(rest);
    kept
}

/// Bytes of the section that comes first: its number, its length, its content.
fn section(bytes: &[u8]) -> Option<usize> {
    let mut reader = BinaryReader::new(bytes, 0);
    reader.read_u8().ok()?;
    let len = reader.read_var_u32().ok()? as usize;
    let end = reader.original_position().checked_add(len)?;
    (end <= bytes.len()).then_some(end)
}

fn is_manifest(section: &[u8]) -> bool {
    let mut reader = BinaryReader::new(section, 0);
    let custom = reader.read_u8().is_ok_and(|id| id == 0) && reader.read_var_u32().is_ok();
    custom
        && reader
            .read_string()
            .is_ok_and(|name| name == MANIFEST_SECTION)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::module::{Hint, admit};

    #[test]
    fn what_is_written_is_what_is_read() {
        let wat = r#"(component
            (type $error (record (field "message" string) (field "retryable" bool)))
            (import "task-error" (type $e (eq $error)))
            (core module $m (func (export "run") (param i32 i32) (result i32) unreachable)
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
            (core instance $i (instantiate $m))
            (func (export "run") (param "input" (list u8)) (result (result (list u8) (error $e)))
                (canon lift (core func $i "run") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;
        let plain = wat::parse_str(wat).unwrap();
        let manifest = Manifest {
            name: "report".into(),
            description: "what it does".into(),
            ..Manifest::default()
        };
        let described = describe(&plain, &manifest);
        let admitted = admit(&described, &Hint::default()).unwrap();
        assert_eq!(admitted.manifest, manifest);
        assert_eq!(admitted.bytes, described);
        // A later one takes its place, but for what only the store knows.
        let stored = admit(&plain, &Hint::default()).unwrap();
        let again = admit(&describe(&stored.bytes, &manifest), &Hint::default()).unwrap();
        assert_eq!(again.manifest.name, "report");
        assert!(again.manifest.made_from.is_some());
        assert_eq!(describe(&describe(&plain, &manifest), &manifest), described);
        for broken in [&b""[..], b"\0asm", b"\0asm\x0d\0\x01\0\0\xff"] {
            assert!(describe(broken, &manifest).starts_with(broken));
        }
    }
}
