//! Bad definitions, and what is said of them. A case is a line `=== title` and the
//! text below it: in `bad.txt` a definition that cannot be read, in `bad_jobs.txt`
//! the parameters as JSON and a definition that cannot be planned, in
//! `bad_modules.txt` a module as text. `@N@` stands for N letters and `@deep@` for
//! nested lists.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use wasmhost_jobc::module::{Hint, admit};
use wasmhost_jobc::{Ambiguous, Catalogue, ModuleFacts, parse, plan};
use wasmhost_proto::Digest;
use wasmhost_proto::api::{Diagnostic, SubmitRequest};
use wasmhost_proto::limits::{MAX_DEFINITION, MAX_DIAGNOSTICS};
use wasmhost_proto::module::ModuleKind;

/// A store with a module `task` and several of the name `many`.
struct Shelf;

impl Catalogue for Shelf {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        Some(ModuleFacts {
            digest,
            len: 7,
            kind: ModuleKind::Task,
        })
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        match reference {
            "task" | "engine-js" => Ok(self.digest(Digest([1; 32]))),
            "many" => Err(Ambiguous(vec!["many:1".into(), "many:2".into()])),
            _ => Ok(None),
        }
    }

    fn imports(&self, _: Digest) -> Vec<String> {
        Vec::new()
    }
}

fn expand(text: &str) -> String {
    let mut out = String::new();
    for (i, part) in text.split('@').enumerate() {
        match (i % 2, part) {
            (0, part) => out.push_str(part),
            (_, "deep") => write!(out, "{}{}", "[".repeat(70), "]".repeat(70)).unwrap(),
            (_, letters) => match letters.parse() {
                Ok(count) => out.push_str(&"a".repeat(count)),
                Err(_) => write!(out, "@{letters}@").unwrap(),
            },
        }
    }
    out
}

/// Each case with its mistakes, as text; and how many there are.
fn report(cases: &str, judge: impl Fn(&str, &str) -> (String, Vec<Diagnostic>)) -> (String, usize) {
    let mut report = String::new();
    let mut count = 0;
    for case in cases.split("=== ").skip(1) {
        let (title, text) = case.split_once('\n').unwrap();
        let (text, mistakes) = judge(title, text);
        assert!(!mistakes.is_empty(), "{title} is right");
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
    (report, count)
}

#[test]
fn bad_definitions() {
    let (report, count) = report(include_str!("bad.txt"), |title, text| {
        let text = expand(text);
        let mistakes = parse(&text).expect_err(title);
        (text, mistakes)
    });
    assert!(count >= 100, "{count} cases");
    insta::assert_snapshot!(report);
}

#[test]
fn bad_jobs() {
    let (report, count) = report(include_str!("bad_jobs.txt"), |title, text| {
        let (params, text) = text.split_once('\n').unwrap();
        let request = SubmitRequest {
            definition: text.to_owned(),
            params: serde_json::from_str(params).unwrap(),
            lists: BTreeMap::from([("lines:empty".into(), vec![])]),
            ..SubmitRequest::default()
        };
        let mistakes = plan(&request, &Shelf).expect_err(title);
        (text.to_owned(), mistakes)
    });
    assert!(count >= 15, "{count} cases");
    insta::assert_snapshot!(report);
}

#[test]
fn bad_modules() {
    let (report, count) = report(include_str!("bad_modules.txt"), |title, text| {
        let bytes = wat::parse_str(text).unwrap_or_else(|_| text.as_bytes().to_vec());
        let rejection = admit(&bytes, &Hint::default()).expect_err(title);
        (text.to_owned(), rejection.diagnostics)
    });
    assert!(count >= 10, "{count} cases");
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
