//! Scripts in files of this machine: looked at before anything is built or uploaded.

use super::prepare::Definition;
use crate::cli::exit::{Fault, Source};
use crate::client::ClientError;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use wasmhost_jobc::{Definition as Parsed, script};
use wasmhost_proto::limits::MAX_SCRIPT;

/// Every mistake that can be found without running a script, each in its lines.
pub(super) fn check(definition: &Definition, parsed: &Parsed) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    let mut origins = vec![definition.origin()];
    let mut errors = Vec::new();
    for node in &parsed.nodes {
        let script = node.source.value.script();
        let Some((script, path)) = script.and_then(|script| Some((script, script.path()?))) else {
            continue;
        };
        if !seen.insert(path) {
            continue;
        }
        let file = definition.base.join(path);
        let content = read(&file).map_err(|error| ClientError::File {
            what: format!("{} names {}", definition.name, file.display()),
            error,
        })?;
        if let Some(mistake) = script::check(script.engine, path, &content) {
            let text = String::from_utf8_lossy(&content);
            origins.push(Source::other(file.display().to_string(), text, path));
            errors.push(mistake);
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let title = format!("{} names scripts that cannot run", definition.name);
    Err(Fault::mistakes("invalid_definition", title, errors, origins).into())
}

/// A script: what is larger than one may be is cut, and refused for its length later.
fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let most = MAX_SCRIPT as u64 + 1;
    std::fs::File::open(file)?
        .take(most)
        .read_to_end(&mut content)?;
    Ok(content)
}
