//! The reference of definitions says what is true: its examples parse, and its
//! defaults are the defaults.
#![allow(clippy::unwrap_used)]

use wasmhost_jobc::parse;

const REFERENCE: &str = include_str!("../../../docs/definition.md");

#[test]
fn examples_parse() {
    let blocks: Vec<&str> = REFERENCE
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 10, "{} examples", blocks.len());
    for block in blocks {
        parse(block).unwrap_or_else(|mistakes| panic!("{block}\n{mistakes:#?}"));
    }
}

#[test]
fn defaults_are_as_said() {
    const MINIMAL: &str = "task.module = \"a\"\n";
    let default = parse(MINIMAL).unwrap();
    let mut rows = 0;
    for row in REFERENCE.lines() {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [key, _, value, _] = cells.as_slice() else {
            continue;
        };
        let (Some(key), Some(value)) = (code(key.trim_start_matches("| ")), code(value)) else {
            continue;
        };
        let said =
            parse(&format!("{MINIMAL}{key} = {value}")).unwrap_or_else(|e| panic!("{row}\n{e:#?}"));
        assert_eq!(said.job, default.job, "{row}");
        assert_eq!(said.nodes[0].name, default.nodes[0].name, "{row}");
        assert_eq!(
            (said.nodes[0].limits, &said.nodes[0].retry),
            (default.nodes[0].limits, &default.nodes[0].retry),
            "{row}"
        );
        assert_eq!(
            (said.nodes[0].args.len(), said.nodes[0].env.len()),
            (0, 0),
            "{row}"
        );
        rows += 1;
    }
    assert_eq!(rows, 17, "rows with a default");
}

/// What is between backticks.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}
