//! Random bytes and damaged definitions: always an answer, with places inside
//! the text. A failure prints its case.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use wasmhost_jobc::parse;

/// A definition with every key, cut into words.
const WORDS: &str = r#"
[job] | name | = | "x" | priority | 7 | queue_timeout | "10m" | on_failure | "stop" | "
" | [task] | module | "a" | { | } | crate | path | array | range | [ | ] | , | 0 | -1
| step | items | lines | files | batch | "1MiB" | input | "${item.k}" | "${" | "${index}" | input_file
| args | env | . | limits | memory | time | "60s" | retry | max | backoff | [reduce] | nan | inf | é | ''' | \u
| [tasks.a] | [tasks.b] | after | when | "results.a > 1" | input_from | "a" | results | elements | tolerate | "all"
| script | "x.js" | js | config | [params.p] | type | "integer" | default | "list" | of | pattern | choices | "${params.p}"
| 9223372036854775807 | 2026-01-31 | true | 1e999 | """#;

fn check(text: &str) {
    match parse(text) {
        Ok(definition) => {
            let _ = (definition.sources(), definition.files(), definition.lists());
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for span in mistakes.iter().filter_map(|m| m.span) {
                assert!(
                    text.get(span.start..span.end).is_some(),
                    "{span:?} in {text:?}"
                );
                assert!(span.line >= 1 && span.column >= 1);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in ".{0,200}") {
        check(&text);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_words(picks in proptest::collection::vec((0usize..96, 0usize..3), 0..60)) {
        let words: Vec<&str> = WORDS.split('|').map(str::trim).collect();
        let glue = [" ", "\n", ""];
        let text: String =
            picks.iter().flat_map(|(word, space)| [words[word % words.len()], glue[*space]]).collect();
        check(&text);
    }

    #[test]
    fn damaged(at in 0usize..600, byte in any::<u8>(), cut in 0usize..600) {
        let mut bytes = GOOD.as_bytes().to_vec();
        let (at, cut) = (at % bytes.len(), cut % bytes.len());
        bytes[at] = byte;
        check(&String::from_utf8_lossy(&bytes));
        bytes.drain(at.min(cut)..at.max(cut));
        check(&String::from_utf8_lossy(&bytes));
    }
}

const GOOD: &str = r#"[job]
name = "words"
total_timeout = "1h"
[task]
module = { path = "a.wasm" }
array = { items = [{ k = 1 }, { k = "é" }] }
input = { x = "${item.k}", n = ["${index}", 2.5, 2026-01-31] }
args = ["-v", "${item.k}"]
env = { A = "${count}" }
limits = { memory = "64MiB", time = "5s" }
retry = { max = 3, backoff = "1s" }
[reduce]
module = "b:1"
"#;

#[test]
fn the_good_one_is_good() {
    assert!(parse(GOOD).is_ok());
}

#[test]
fn deep_texts_do_not_overflow_the_stack() {
    let lists = format!("[task]\ninput = {}", "[".repeat(100_000));
    let dotted = format!("[task]\ninput.{}a = 1", "a.".repeat(100_000));
    let headers = format!("[task.{}a]\nx = 1", "a.".repeat(100_000));
    let mut both = "1".to_owned();
    for _ in 0..70 {
        both = format!("{{ {}a = {both} }}", "a.".repeat(70));
    }
    for text in [
        lists,
        dotted,
        headers,
        format!("[task]\nmodule = \"a\"\ninput = {both}"),
    ] {
        assert!(parse(&text).is_err());
    }
}
