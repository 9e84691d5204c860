//! The platform's data calls. A space without a name is the private one.

use crate::bindings::wasmhost::task::{data_types as wit, private_data, public_data};
use crate::data::{DataError, Datum, Entry, Expect};
use crate::value::Value;

pub(super) fn get(space: Option<&str>, key: &str) -> Result<Option<Entry>, DataError> {
    let entry = match space {
        None => private_data::get(key),
        Some(space) => public_data::get(space, key),
    };
    Ok(entry.map_err(error)?.map(lift))
}

pub(super) fn set(
    space: Option<&str>,
    key: &str,
    value: Datum,
    expect: Expect,
) -> Result<u64, DataError> {
    let (value, expect) = (lower(value), expected(expect));
    let set = match space {
        None => private_data::set(key, &value, expect),
        Some(space) => public_data::set(space, key, &value, expect),
    };
    set.map_err(error)
}

pub(super) fn delete(space: Option<&str>, key: &str, expect: Expect) -> Result<(), DataError> {
    let expect = expected(expect);
    let deleted = match space {
        None => private_data::delete(key, expect),
        Some(space) => public_data::delete(space, key, expect),
    };
    deleted.map_err(error)
}

pub(super) fn add(space: Option<&str>, key: &str, by: i64) -> Result<i64, DataError> {
    let sum = match space {
        None => private_data::add(key, by),
        Some(space) => public_data::add(space, key, by),
    };
    sum.map_err(error)
}

pub(super) fn page(
    space: Option<&str>,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Entry>, bool), DataError> {
    let page = match space {
        None => private_data::entries(prefix, after, limit),
        Some(space) => public_data::entries(space, prefix, after, limit),
    };
    let page = page.map_err(error)?;
    Ok((page.entries.into_iter().map(lift).collect(), page.more))
}

pub(super) fn wait(
    space: Option<&str>,
    key: &str,
    known: u64,
    timeout_ms: u64,
) -> Result<Option<Entry>, DataError> {
    let entry = match space {
        None => private_data::wait(key, known, timeout_ms),
        Some(space) => public_data::wait(space, key, known, timeout_ms),
    };
    Ok(entry.map_err(error)?.map(lift))
}

fn lift(entry: wit::Entry) -> Entry {
    let value = match entry.value {
        wit::Value::Text(text) => Datum::Value(Value::Text(text)),
        wit::Value::Int(number) => Datum::Value(Value::Int(number)),
        wit::Value::Float(number) => Datum::Value(Value::Float(number)),
        wit::Value::Flag(flag) => Datum::Value(Value::Flag(flag)),
        wit::Value::Json(text) => Datum::Value(Value::Json(text)),
        wit::Value::Bytes(bytes) => Datum::Bytes(bytes),
    };
    Entry {
        key: entry.key,
        value,
        revision: entry.revision,
    }
}

fn lower(value: Datum) -> wit::Value {
    match value {
        Datum::Bytes(bytes) => wit::Value::Bytes(bytes),
        Datum::Value(Value::Text(text)) => wit::Value::Text(text),
        Datum::Value(Value::Int(number)) => wit::Value::Int(number),
        Datum::Value(Value::Float(number)) => wit::Value::Float(number),
        Datum::Value(Value::Flag(flag)) => wit::Value::Flag(flag),
        Datum::Value(Value::Json(text)) => wit::Value::Json(text),
    }
}

fn expected(expect: Expect) -> wit::Expect {
    match expect {
        Expect::Any => wit::Expect::Any,
        Expect::Absent => wit::Expect::Absent,
        Expect::Revision(revision) => wit::Expect::Revision(revision),
    }
}

fn error(error: wit::Error) -> DataError {
    match error {
        wit::Error::Conflict(revision) => DataError::Conflict(revision),
        wit::Error::NotGranted(why) => DataError::NotGranted(why),
        wit::Error::Full(why) => DataError::Full(why),
        wit::Error::Invalid(why) => DataError::Invalid(why),
        wit::Error::NotANumber(why) => DataError::NotANumber(why),
        wit::Error::Stopped => DataError::Stopped,
    }
}
