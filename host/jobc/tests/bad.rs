//! Bad definitions, and what is said of them. A case is a line `=== title` and
//! the text below it in `bad.txt`, where `@N@` stands for N letters and `@deep@`
//! for nested lists.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use wasmhost_jobc::parse;
use wasmhost_proto::limits::{MAX_DEFINITION, MAX_DIAGNOSTICS};

fn expand(text: &str) -> String {
    let mut out = String::new();
    for (i, part) in text.split('@').enumerate() {
        match (i % 2, part) {
            (0, part) => out.push_str(part),
            (_, "deep") => write!(out, "{}{}", "[".repeat(70), "]".repeat(70)).unwrap(),
            (_, letters) => out.push_str(&"a".repeat(letters.parse().unwrap())),
        }
    }
    out
}

#[test]
fn bad_definitions() {
    let mut report = String::new();
    let cases = include_str!("bad.txt").split("=== ").skip(1);
    let mut count = 0;
    for case in cases {
        let (title, text) = case.split_once('\n').unwrap();
        let text = expand(text);
        let mistakes = parse(&text).expect_err(title);
        count += 1;
        writeln!(report, "=== {title}").unwrap();
        for mistake in mistakes {
            let place = mistake.span.map(|s| {
                assert!(
                    s.start <= s.end && text.get(s.start..s.end).is_some(),
                    "{title}: {s:?}"
                );
                let shown: String = text[s.start..s.end].chars().take(20).collect();
                format!("{}:{} {shown:?} ", s.line, s.column)
            });
            let help = mistake
                .help
                .map(|h| format!("\n    help: {h}"))
                .unwrap_or_default();
            let place = place.unwrap_or_default();
            writeln!(report, "{place}{}: {}{help}", mistake.code, mistake.message).unwrap();
        }
    }
    assert!(count >= 50, "{count} cases");
    insta::assert_snapshot!(report);
}

#[test]
fn mistakes_are_bounded_and_counted() {
    let keys: String = (0..60).map(|n| format!("unknown{n} = 1\n")).collect();
    let mistakes = parse(&format!("[task]\nmodule = \"a\"\n{keys}")).unwrap_err();
    assert_eq!(mistakes.len(), MAX_DIAGNOSTICS + 1);
    assert!(
        mistakes[49].message.contains("`unknown49`"),
        "the first come first"
    );
    assert_eq!(mistakes[50].message, "and 10 more mistakes");
    let long = parse(&"#".repeat(MAX_DEFINITION + 1)).unwrap_err();
    assert_eq!(long[0].code, "too-large");
}
