//! The files of a task, for people: one line each.

use super::human::{count, line, memory};
use wasmhost_proto::api::CheckNode;

/// Characters of a path.
const PATH: usize = 200;

/// What a task reads and writes; the first word of each line says which.
pub(super) fn rows(node: &CheckNode) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    for (i, view) in node.files.iter().enumerate() {
        let (at, from) = (line(&view.at, PATH), line(&view.from, PATH));
        let all = view.files.map(|n| format!(", {}", count(n.into(), "file")));
        let text = format!("{at} from {from}{}", all.unwrap_or_default());
        rows.push((if i == 0 { "reads" } else { "" }, text));
    }
    if let Some(bytes) = node.scratch {
        rows.push(("scratch", memory(bytes)));
    }
    if !node.collect.is_empty() {
        let all: Vec<String> = node.collect.iter().map(|one| line(one, PATH)).collect();
        rows.push(("outputs", all.join(", ")));
    }
    rows
}
