//! Whether the condition of a node holds: what it reads, put together and weighed.

use super::PrepareError;
use super::results::{Found, Results};
use serde_json::{Map, Value, json};
use wasmhost_core::prepared::Preparation;
use wasmhost_jobc::condition;
use wasmhost_proto::NodeIndex;
use wasmhost_proto::api::Counts;
use wasmhost_proto::input::Array;
use wasmhost_proto::limits::{MAX_CONDITION_LIST, MAX_CONDITION_RESULT};

pub(super) fn holds(
    results: &Results,
    what: &Preparation,
    when: &str,
) -> Result<bool, PrepareError> {
    let failed = |why: String| PrepareError::Condition {
        when: when.into(),
        why,
    };
    let reads = condition::check(when).map_err(|mistake| failed(mistake.message))?;
    let (mut values, mut tasks) = (Map::new(), Map::new());
    for (index, counts) in &what.before {
        let name = &results.node(*index)?.name;
        if reads.nodes.iter().any(|read| read.name == *name) {
            values.insert(name.clone(), value(results, *index, counts)?);
            tasks.insert(name.clone(), tally(counts));
        }
    }
    let params = results.plan.params.iter().map(|(name, text)| {
        let value = serde_json::from_str(text).map_err(|e| failed(e.to_string()))?;
        Ok((name.clone(), value))
    });
    let params = params.collect::<Result<Map<String, Value>, PrepareError>>()?;
    let context = json!({ "params": params, "results": values, "tasks": tasks });
    condition::eval(when, &context).map_err(failed)
}

fn tally(counts: &Counts) -> Value {
    json!({
        "total": counts.total,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "skipped": counts.skipped,
    })
}

/// What a condition sees of the results of a node: null of one that was skipped, of a
/// single task that did not succeed, and of what is too large to be looked at.
fn value(results: &Results, node: NodeIndex, counts: &Counts) -> Result<Value, PrepareError> {
    if counts.skipped > 0 {
        return Ok(Value::Null);
    }
    if results.node(node)?.array == Array::Single {
        let found = results.single(node)?;
        return found.map_or(Ok(Value::Null), |found| Ok(seen(results, &found)?.0));
    }
    let (mut list, mut bytes) = (Vec::new(), 0);
    results.each(node, |found| {
        // What is too large already is not read any further.
        if bytes <= MAX_CONDITION_LIST {
            let (value, len) = seen(results, &found)?;
            bytes += len;
            list.push(value);
        }
        Ok(())
    })?;
    Ok(match bytes > MAX_CONDITION_LIST {
        true => Value::Null,
        false => Value::Array(list),
    })
}

/// JSON where it is, text else; and its length.
fn seen(results: &Results, found: &Found) -> Result<(Value, u64), PrepareError> {
    let Some(bytes) = results.bytes(found, MAX_CONDITION_RESULT)? else {
        return Ok((Value::Null, 0));
    };
    let len = bytes.len() as u64 + 8;
    let value = serde_json::from_slice(&bytes);
    let value = value.unwrap_or_else(|_| match String::from_utf8(bytes) {
        Ok(text) => Value::String(text),
        Err(_) => Value::Null,
    });
    Ok((value, len))
}
