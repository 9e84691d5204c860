//! Public data as tables.

use super::human::{age, line, number, size};
use super::table::{render, table};
use comfy_table::Cell;
use wasmhost_proto::Timestamp;
use wasmhost_proto::api::{EntryView, Page, SpaceView};
use wasmhost_proto::data::DataValue;
use wasmhost_proto::limits::MAX_DATA_KEY;

/// Enough of a value to know it by.
const SHOWN: usize = 60;

/// Spaces, by name.
pub(crate) fn spaces(page: &Page<SpaceView>) -> String {
    if page.items.is_empty() {
        return "no public data yet: try `wasmhost data set SPACE KEY VALUE`\n".into();
    }
    let mut out = table(&["SPACE", ">ENTRIES", ">SIZE"]);
    for space in &page.items {
        out.add_row(vec![
            Cell::new(&space.name),
            Cell::new(number(space.entries)),
            Cell::new(size(space.bytes)),
        ]);
    }
    render(&out)
}

/// Entries, by key.
pub(crate) fn entries(page: &Page<EntryView>, now: Timestamp) -> String {
    if page.items.is_empty() {
        return "nothing there\n".into();
    }
    let mut out = table(&["KEY", "TYPE", "VALUE", ">REVISION", ">AGE", "BY"]);
    for entry in &page.items {
        let (of, value) = value(&entry.value);
        out.add_row(vec![
            Cell::new(line(&entry.key, MAX_DATA_KEY)),
            Cell::new(of),
            Cell::new(value),
            Cell::new(entry.revision),
            Cell::new(age(now.since(entry.at))),
            Cell::new(entry.task.as_deref().unwrap_or("client")),
        ]);
    }
    render(&out)
}

fn value(value: &DataValue) -> (&'static str, String) {
    match value {
        DataValue::Text(text) => ("text", line(text, SHOWN)),
        DataValue::Int(number) => ("int", number.to_string()),
        DataValue::Float(number) => ("float", number.to_string()),
        DataValue::Flag(flag) => ("flag", flag.to_string()),
        DataValue::Json(text) => ("json", line(text, SHOWN)),
        DataValue::Bytes(bytes) => ("bytes", size(bytes.len() as u64)),
    }
}
