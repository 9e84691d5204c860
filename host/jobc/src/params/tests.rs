//! Parameters: what they are given, what they refuse, and their schema.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::parse;
use serde_json::json;

fn definition(params: &str) -> Definition {
    let text = format!("{params}\n[task]\nmodule = \"a\"\n");
    parse(&text).unwrap_or_else(|e| panic!("{text}\n{e:#?}"))
}

/// The value of the parameter `x`, which is declared with these keys.
fn read(keys: &str, given: Json) -> Result<Value, String> {
    let definition = definition(&format!("[params.x]\n{keys}\n"));
    let given = BTreeMap::from([("x".to_owned(), given)]);
    let mut values = values(&definition, &given).map_err(|e| {
        assert_eq!((e.len(), e[0].param.as_deref()), (1, Some("x")), "{e:?}");
        assert!(e[0].told.message.contains("`x`"), "{e:?}");
        e[0].told.message.clone()
    })?;
    Ok(values.remove("x").unwrap())
}

#[test]
fn values_by_type() {
    let check = |keys: &str, given: Json, json: Json, text: &str| {
        let value = read(keys, given).unwrap_or_else(|e| panic!("{keys}: {e}"));
        assert_eq!((&value.json, value.text.as_str()), (&json, text), "{keys}");
    };
    check("type = 'text'", json!(" a "), json!(" a "), " a ");
    check(
        "type = 'text'\npattern = 'a+'",
        json!("aaa"),
        json!("aaa"),
        "aaa",
    );
    check(
        "type = 'text'\nmin = 2\nmax = 2",
        json!("éé"),
        json!("éé"),
        "éé",
    );
    check("type = 'integer'", json!("1_000"), json!(1000), "1_000");
    check("type = 'integer'\nmax = 7", json!(-7), json!(-7), "-7");
    check("type = 'float'", json!("0.5"), json!(0.5), "0.5");
    check("type = 'float'", json!(2), json!(2.0), "2");
    check("type = 'flag'", json!("true"), json!(true), "true");
    check("type = 'flag'", json!(false), json!(false), "false");
    check(
        "type = 'choice'\nchoices = ['a', 'b']",
        json!("b"),
        json!("b"),
        "b",
    );
    check("type = 'duration'", json!("1m30s"), json!(90_000), "1m30s");
    check(
        "type = 'size'\nmin = '1KiB'",
        json!("1 MB"),
        json!(1_000_000),
        "1 MB",
    );
    check(
        "type = 'date'",
        json!("2024-02-29"),
        json!("2024-02-29"),
        "2024-02-29",
    );
    check(
        "type = 'file'",
        json!("a b.csv"),
        json!("a b.csv"),
        "a b.csv",
    );
    check("type = 'list'", json!("a, b"), json!(["a", "b"]), "a,b");
    check(
        "type = 'list'\nof = 'integer'",
        json!(["1", 2]),
        json!([1, 2]),
        "1,2",
    );
    check(
        "type = 'list'\nof = 'duration'",
        json!("1s,2s"),
        json!([1000, 2000]),
        "1s,2s",
    );
    check("type = 'list'", json!(""), json!([]), "");
    check("type = 'integer'\ndefault = 3", json!(4), json!(4), "4");
}

#[test]
fn refused_values() {
    let check = |keys: &str, given: Json, want: &str| {
        let message = read(keys, given.clone()).expect_err(keys);
        assert!(message.contains(want), "{keys} {given}: {message}");
    };
    check("type = 'text'", json!(3), "must be text, not 3");
    check("type = 'text'", json!("${item}"), "cannot contain ${");
    check("type = 'text'", json!("a\0"), "NUL");
    check("type = 'text'", json!("a".repeat(70_000)), "70000 bytes");
    check(
        "type = 'text'\npattern = 'a+'",
        json!("aab"),
        "must fit a+, not \"aab\"",
    );
    check("type = 'text'\nmin = 2", json!("é"), "at least 2");
    check("type = 'integer'", json!("ten"), "must be a whole number");
    check("type = 'integer'", json!(1.5), "must be a whole number");
    check("type = 'integer'", json!("9223372036854775808"), "64 bits");
    check(
        "type = 'integer'\nmin = 1\nmax = 9",
        json!(10),
        "must be at most 9, not 10",
    );
    check("type = 'float'", json!("nan"), "must be a number");
    check("type = 'float'\nmin = 0.5", json!(0.25), "at least 0.5");
    check("type = 'flag'", json!("yes"), "true or false");
    check(
        "type = 'choice'\nchoices = ['a', 'b']",
        json!("c"),
        "must be one of a, b",
    );
    check("type = 'duration'", json!(30), "must be a duration, not 30");
    check(
        "type = 'duration'\nmax = '1h'",
        json!("61m"),
        "at most 1h, not 61m",
    );
    check("type = 'size'", json!("many"), "must be a size");
    check("type = 'date'", json!("2026-02-30"), "must be a date");
    check(
        "type = 'date'\nmin = 2026-01-01",
        json!("2025-12-31"),
        "at least 2026-01-01",
    );
    check("type = 'file'", json!(" "), "the path of a file");
    check(
        "type = 'list'\nof = 'integer'",
        json!("1,x"),
        "at [1] must be a whole number",
    );
    check(
        "type = 'list'\nmin = 2",
        json!(["a"]),
        "have at least 2 values, not 1",
    );
    check("type = 'list'", json!([["a"]]), "must be text");
    check("type = 'list'", json!(3), "must be a list");
    check(
        "type = 'integer'\ndefault = 3\nmodifiable = false",
        json!(4),
        "cannot be given",
    );
}

#[test]
fn all_mistakes_at_once() {
    let definition = definition(
        "[params.rows]\ntype = 'integer'\nmax = 10\n[params.city]\ntype = 'text'\n\
         [params.full]\ntype = 'flag'\nrequired = false\n[params.day]\ntype = 'date'\ndefault = 2026-01-31",
    );
    let given = BTreeMap::from([("rows".into(), json!(99)), ("ctiy".into(), json!("Ulm"))]);
    let mistakes = values(&definition, &given).unwrap_err();
    let got: Vec<(&str, &str)> = mistakes
        .iter()
        .map(|m| {
            (
                m.told.code.as_str(),
                m.told.help.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        got,
        [
            ("unknown-param", "did you mean `city`?"),
            ("bad-param", "a whole number, at most 10"),
            ("missing-param", "a text"),
        ]
    );
    let known = known(&definition, &BTreeMap::new()).unwrap();
    assert_eq!(known.get("city"), None);
    assert_eq!(known["full"].json, Json::Null);
    assert_eq!(known["day"].text, "2026-01-31");
    let large = BTreeMap::from([("city".into(), json!("a".repeat(MAX_PARAMS_BYTES)))]);
    assert_eq!(
        values(&definition, &large).unwrap_err()[0].told.code,
        "too-large"
    );
}

#[test]
fn files_by_parameter() {
    let definition =
        definition("[params.in]\ntype = 'file'\n[params.more]\ntype = 'file'\nrequired = false");
    let given = BTreeMap::from([("in".into(), json!("a.csv"))]);
    let values = values(&definition, &given).unwrap();
    assert_eq!(
        files(&definition, &values),
        [("param:in".to_owned(), "a.csv".to_owned())]
    );
}

#[test]
fn schema_of_everything() {
    let definition = definition(
        "[job]\nname = 'n'\ndescription = 'd'\n[params.a]\ntype = 'text'\nmax = 9\npattern = 'x+'\nhelp = 'h'\n\
         [params.b]\ntype = 'integer'\nmin = 1\ndefault = '7'\n[params.c]\ntype = 'choice'\nchoices = ['u', 'v']\n\
         [params.d]\ntype = 'duration'\nmin = '1s'\ndefault = '30s'\n[params.e]\ntype = 'list'\nof = 'date'\nmin = 1\n\
         [params.f]\ntype = 'flag'\ndefault = true\nmodifiable = false\n[params.g]\ntype = 'float'\nrequired = false",
    );
    assert_eq!(
        schema(&definition),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "n",
            "description": "d",
            "type": "object",
            "required": ["a", "c", "e"],
            "additionalProperties": false,
            "properties": {
                "a": {"type": "string", "pattern": "^(?:x+)$", "maxLength": 9, "description": "h"},
                "b": {"type": "integer", "minimum": 1, "default": 7},
                "c": {"type": "string", "enum": ["u", "v"]},
                "d": {"type": "string", "format": "x-duration", "pattern": "^([0-9]+(ms|s|m|h|d) *)+$",
                    "x-minimum": "1s", "default": "30s"},
                "e": {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1},
                "f": {"type": "boolean", "default": true, "readOnly": true},
                "g": {"type": "number"},
            },
        })
    );
}
