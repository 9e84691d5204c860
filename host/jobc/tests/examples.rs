//! Every definition in `tasks` is one.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use wasmhost_jobc::parse;

#[test]
fn every_definition_parses() {
    let tasks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tasks");
    let mut seen = 0;
    for folder in [tasks.clone(), tasks.join("examples")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path().join("job.toml");
            if let Ok(text) = std::fs::read_to_string(&file) {
                parse(&text).unwrap_or_else(|e| panic!("{}\n{e:#?}", file.display()));
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "{seen} definitions");
}
