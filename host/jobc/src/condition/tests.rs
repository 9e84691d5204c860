//! What conditions say, read and cannot be.
#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;

fn context() -> Value {
    json!({
        "params": {"full": true, "limit": 10, "city": "Ulm"},
        "results": {"check": {"rows": 3, "tags": ["a", "b"]}, "gone": null, "parts": [1, 2, 3.5]},
        "tasks": {"check": {"succeeded": 1, "failed": 0, "total": 1, "skipped": 0}},
    })
}

#[test]
fn values() {
    let check = |text: &str, want: bool| assert_eq!(eval(text, &context()), Ok(want), "{text}");
    check("results.check.rows > 0 and params.full", true);
    check(
        "results.check.rows > params.limit || not params.full",
        false,
    );
    check("!params.full", false);
    check("results[\"check\"]['rows'] == 3.0", true);
    check("results.parts[2] - results.parts[0] * 2 == 1.5", true);
    check("-results.check.rows < -2", true);
    check("7 % 4 == 3 and 7 / 2 == 3.5", true);
    check(
        "'a' in results.check.tags and 'z' not in results.check.tags",
        true,
    );
    check("\"lm\" in params.city and 'rows' in results.check", true);
    check("params.city < 'V' and params.city == \"Ulm\"", true);
    check(
        "length(results.parts) == 3 and sum(results.parts) == 6.5",
        true,
    );
    check(
        "min(results.parts) == 1 and max(results.parts) == 3.5",
        true,
    );
    check("any([0, 1]) and not all([0, 1]) and all([])", true);
    check("results.gone == null and not results.gone", true);
    check("results.gone != none and results.gone.rows > 0", false);
    check("tasks.check.failed == 0 and tasks.check.total == 1", true);
    check("params.city in ['Ulm', 'Bonn']", true);
    check("[1, 2.0] == [1.0, 2]", true);
    check("1_000 == 1e3", true);
    check("not (true and false) or false", true);
}

#[test]
fn what_is_read() {
    let check = |text: &str, nodes: &[&str], params: &[&str], constant: Option<bool>| {
        let reads = check(text).unwrap();
        let names = |found: &[Name]| {
            for name in found {
                assert!(text[name.at.clone()].contains(&name.name));
            }
            found.iter().map(|n| n.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&reads.nodes), nodes, "{text}");
        assert_eq!(names(&reads.params), params, "{text}");
        assert_eq!(reads.constant, constant, "{text}");
    };
    check(
        "results.a > 0 or length(tasks['b-1'].failed) == [results.a]",
        &["a", "b-1", "a"],
        &[],
        None,
    );
    check("params.x", &[], &["x"], None);
    check("1 > 2", &[], &[], Some(false));
    check("'results.a' == ''", &[], &[], Some(false));
}

#[test]
fn mistakes() {
    let check = |text: &str, at: Range<usize>, want: &str| {
        let mistake = check(text).expect_err(text);
        assert!(
            mistake.message.contains(want) || mistake.help.contains(want),
            "{mistake:?}"
        );
        assert_eq!(mistake.at, at, "{text}: {mistake:?}");
        assert!(text.get(mistake.at).is_some());
    };
    check("", 0..0, "it ends where a value is wanted");
    check("result.a", 0..6, "did you mean `results`?");
    check("params", 0..6, "is read by name");
    check("tasks.a", 7..7, "add one of `succeeded`");
    check("tasks.a.fialed", 8..14, "did you mean `failed`?");
    check("params.a = 3", 9..10, "write == to compare");
    check("${params.a}", 0..1, "without ${}");
    check("1 < params.a < 3", 13..14, "join comparisons with `and`");
    check("(true", 5..5, "it ends where `)` is wanted");
    check("params.a > 30s", 11..14, "durations count in milliseconds");
    check("'abc", 0..4, "the text is not closed");
    check("'a\\q'", 2..3, "a backslash must stand");
    check("true false", 5..10, "`false` does not fit here");
    check("1 + ", 4..4, "where a value is wanted");
    check("1 not 2", 6..7, "`in` after `not`");
    check("'a' < 1", 0..7, "text does not go with a number");
    check("1 / 0", 0..5, "has no value");
    check("é", 0..2, "unknown name");
    check("1 ≥ 2", 2..5, "has no meaning here");
    check("results[1]", 8..9, "a name between quotes");
}

#[test]
fn failures_name_what_they_read() {
    let check = |text: &str, want: &str| {
        let message = eval(text, &context()).expect_err(text);
        assert!(message.contains(want), "{text}: {message}");
    };
    check("results.check.rowz > 0", "has no key \"rowz\"");
    check("results.gone.rows > 0", "null is null, which has no key");
    check("results.parts[9]", "has no key 9");
    check("results.other", "there is no results.other");
    check(
        "params.city > 5",
        "\"Ulm\" > 5: text does not go with a number",
    );
    check("length(params.limit)", "length of 10, which is a number");
    check("min([])", "min of an empty list");
    check("9223372036854775807 + 1", "has no value");
}

#[test]
fn deep_and_long_texts_are_refused() {
    let deep = [
        format!("{}1", "(".repeat(2_000)),
        format!("{}1", "not ".repeat(1_000)),
        format!("{}1", "-".repeat(2_000)),
        format!("1{}", "+1".repeat(2_000)),
        format!("params.a{}", ".a".repeat(2_000)),
        format!("params.a{}", "[0]".repeat(1_000)),
        format!("{}1", "[".repeat(2_000)),
        format!("{}1", "length(".repeat(500)),
        "1".repeat(MAX_CONDITION + 1),
    ];
    for text in deep {
        assert!(check(&text).is_err(), "{}", clip_text(&text));
        assert!(eval(&text, &context()).is_err());
    }
    let long = vec!["params.full"; 200].join(" and ");
    assert_eq!(eval(&long, &context()), Ok(true));
}

fn clip_text(text: &str) -> String {
    text.chars().take(40).collect()
}
