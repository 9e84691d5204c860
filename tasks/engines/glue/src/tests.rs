//! The table and the conversions, without an engine.

use crate::bindings::wasmhost::task::data_types::{Error, Expect, Value as Datum};
use crate::convert::{FromValue, IntoValue, member, result};
use crate::value::Value;
use crate::{FUNCTIONS, members};

#[test]
fn the_table_is_the_wit() {
    let wit = include_str!("../../../../proto/wit/task.wit");
    let mut interface = "";
    let mut want = Vec::new();
    for line in wit.lines() {
        if let Some(name) = line.strip_prefix("interface ") {
            interface = name.trim_end_matches(" {");
        } else if line.starts_with("world ") {
            interface = "";
        } else if let Some((name, _)) = line.trim().split_once(": func(")
            && !["", "script"].contains(&interface)
        {
            want.push((interface, name));
        }
    }
    let got: Vec<_> = FUNCTIONS.iter().map(|f| (f.interface, f.name)).collect();
    assert_eq!(got, want);
}

#[test]
fn members_have_short_names_and_one_for_each_choice() {
    let names: Vec<String> = members()
        .map(|member| format!("{}.{}", member.interface, member.name))
        .collect();
    for name in [
        ".progress",
        ".config",
        "log.info",
        "log.write",
        "context.index",
    ] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    let arity = |name: &str| members().find(|m| m.name == name).map(|m| m.arity());
    assert_eq!(arity("progress"), Some((1, 3)));
    assert_eq!(arity("info"), Some((1, 1)));
    assert_eq!(arity("job"), Some((0, 0)));
    // What is expected to be there may be left out: anything.
    let set = members().find(|m| m.interface == "public-data" && m.name == "set");
    assert_eq!(set.map(|m| m.arity()), Some((3, 4)));
}

#[test]
fn whole_numbers_fit_whatever_they_came_in() {
    assert_eq!(u32::from_value(Value::Int(7)), Ok(7));
    assert_eq!(u32::from_value(Value::Float(7.0)), Ok(7));
    for wrong in [
        Value::Float(7.5),
        Value::Int(-1),
        Value::Int(1 << 40),
        Value::Text("7".into()),
    ] {
        assert!(u32::from_value(wrong.clone()).is_err(), "{wrong:?}");
    }
    assert_eq!(f64::from_value(Value::Int(2)), Ok(2.0));
    assert_eq!(Option::<u8>::from_value(Value::Null), Ok(None));
    assert_eq!(Vec::<u8>::from_value(Value::Bytes(vec![1])), Ok(vec![1]));
}

#[test]
fn members_of_objects_are_found_as_languages_write_them() {
    for name in ["max-count", "maxCount", "max_count"] {
        let mut value = Value::Map(vec![(name.into(), Value::Int(3))]);
        assert_eq!(member::<u8>(&mut value, "max-count"), Ok(3));
        assert_eq!(member::<Option<u8>>(&mut value, "other"), Ok(None));
    }
}

#[test]
fn cases_are_chosen_by_what_fits_and_named_when_they_are_thrown() {
    for (value, want) in [
        (Value::Null, Expect::Any),
        (Value::Text("absent".into()), Expect::Absent),
        (Value::Int(7), Expect::Revision(7)),
    ] {
        let got = Expect::from_value(value.clone());
        let got = got.map(|got| format!("{got:?}"));
        assert_eq!(got, Ok(format!("{want:?}")), "{value:?}");
    }
    assert!(Expect::from_value(Value::Flag(true)).is_err());
    for (error, want) in [
        (Error::Conflict(7), "conflict: 7"),
        (Error::Full("no room".into()), "no room"),
        (Error::Stopped, "stopped"),
    ] {
        assert_eq!(result::<(), _>(Err(error)), Err(want.into()));
    }
    let json = Datum::Json(r#"{"a":[1]}"#.into()).into_value();
    assert_eq!(json.json().as_deref(), Ok(r#"{"a":[1]}"#));
}

#[test]
fn values_are_json() {
    let json = r#"{"b":[1,2.5,null,"x"],"a":{"c":true}}"#;
    let value = Value::from(serde_json::from_str::<serde_json::Value>(json).unwrap_or_default());
    assert_eq!(value.json().as_deref(), Ok(json));
    assert!(Value::List(vec![Value::Bytes(vec![1])]).json().is_err());
}
