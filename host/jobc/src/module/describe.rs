//! A manifest put into a component that has none of its own.

use std::borrow::Cow;
use wasm_encoder::{CustomSection, Encode as _, Section as _};
use wasmhost_proto::module::{MANIFEST_SECTION, Manifest};

/// `component` with its manifest, a section behind all others. The same component and
/// manifest give the same bytes.
pub fn describe(component: &[u8], manifest: &Manifest) -> Vec<u8> {
    // Texts and JSON values: there is nothing in it that cannot be written.
    let data = serde_json::to_vec(manifest).unwrap_or_default();
    let section = CustomSection {
        name: Cow::Borrowed(MANIFEST_SECTION),
        data: Cow::Owned(data),
    };
    let mut bytes = component.to_vec();
    bytes.push(section.id());
    section.encode(&mut bytes);
    bytes
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
    }
}
