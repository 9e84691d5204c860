//! Outputs as a table.

use super::human::{line, size};
use super::table::{render, table};
use comfy_table::Cell;
use wasmhost_proto::api::{OutputView, Page};
use wasmhost_proto::limits::MAX_OUTPUT_NAME;

/// Outputs, by task.
pub(crate) fn list(page: &Page<OutputView>) -> String {
    if page.items.is_empty() {
        return "no outputs\n".into();
    }
    let mut out = table(&["TASK", ">INDEX", "NAME", "TYPE", ">SIZE", ""]);
    for of in &page.items {
        out.add_row(vec![
            Cell::new(&of.node),
            Cell::new(of.index),
            Cell::new(line(&of.name, MAX_OUTPUT_NAME)),
            Cell::new(line(&of.content_type, MAX_OUTPUT_NAME)),
            Cell::new(size(of.bytes)),
            Cell::new(if of.complete { "" } else { "growing" }),
        ]);
    }
    render(&out)
}
