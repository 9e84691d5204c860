//! The value of an expression. Every failure is a sentence that names what was read.

use super::parse::Expr;
use crate::read::clip;
use crate::values;
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Whether an expression is true.
pub(super) fn holds(expr: &Expr, context: &Value) -> Result<bool, String> {
    Ok(truth(&*value(expr, context)?))
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(table) => !table.is_empty(),
    }
}

/// What lies in the context is not copied: a list of results may be long.
fn value<'c>(expr: &'c Expr, context: &'c Value) -> Result<Cow<'c, Value>, String> {
    Ok(Cow::Owned(match expr {
        Expr::Literal(value) => return Ok(Cow::Borrowed(value)),
        Expr::Read { root, name } => {
            let found = context.get(*root).and_then(|table| table.get(&name.name));
            let lacks = || format!("there is no {root}.{}", clip(&name.name));
            return found.map(Cow::Borrowed).ok_or_else(lacks);
        }
        Expr::Key { of, key } => {
            let key = value(key, context)?;
            match value(of, context)? {
                Cow::Borrowed(table) => return inside(table, &key).map(Cow::Borrowed),
                Cow::Owned(table) => inside(&table, &key)?.clone(),
            }
        }
        Expr::Not(of) => Value::Bool(!holds(of, context)?),
        Expr::Minus(of) => arithmetic("-", &0.into(), &*value(of, context)?)?,
        Expr::Call { function, of } => call(function, &*value(of, context)?)?,
        Expr::List(items) => {
            let items = items
                .iter()
                .map(|item| Ok(value(item, context)?.into_owned()));
            Value::Array(items.collect::<Result<_, String>>()?)
        }
        Expr::Binary { sign, left, right } => match *sign {
            "and" => Value::Bool(holds(left, context)? && holds(right, context)?),
            "or" => Value::Bool(holds(left, context)? || holds(right, context)?),
            sign => binary(sign, &*value(left, context)?, &*value(right, context)?)?,
        },
    }))
}

fn inside<'v>(of: &'v Value, key: &Value) -> Result<&'v Value, String> {
    let found = match (of, key) {
        (Value::Object(table), Value::String(key)) => table.get(key),
        (Value::Array(list), Value::Number(number)) => {
            let index = number.as_u64().and_then(|n| usize::try_from(n).ok());
            index.and_then(|index| list.get(index))
        }
        _ => {
            return Err(format!(
                "{} is {}, which has no key {key}",
                show(of),
                kind(of)
            ));
        }
    };
    found.ok_or_else(|| format!("{} has no key {key}", show(of)))
}

fn binary(sign: &str, left: &Value, right: &Value) -> Result<Value, String> {
    Ok(Value::Bool(match sign {
        "==" => equal(left, right),
        "!=" => !equal(left, right),
        "in" => within(left, right)?,
        "<" => order(sign, left, right)?.is_lt(),
        "<=" => order(sign, left, right)?.is_le(),
        ">" => order(sign, left, right)?.is_gt(),
        ">=" => order(sign, left, right)?.is_ge(),
        _ => return arithmetic(sign, left, right),
    }))
}

/// Numbers are equal by value: 1 is 1.0.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(_), Value::Number(_)) => values::order(left, right) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (left, right) => left == right,
    }
}

fn order(sign: &str, left: &Value, right: &Value) -> Result<Ordering, String> {
    values::order(left, right).ok_or_else(|| unfit(sign, left, right))
}

fn within(item: &Value, of: &Value) -> Result<bool, String> {
    match (item, of) {
        (item, Value::Array(list)) => Ok(list.iter().any(|one| equal(one, item))),
        (Value::String(part), Value::String(text)) => Ok(text.contains(part.as_str())),
        (Value::String(key), Value::Object(table)) => Ok(table.contains_key(key)),
        _ => Err(unfit("in", item, of)),
    }
}

fn arithmetic(sign: &str, left: &Value, right: &Value) -> Result<Value, String> {
    if let (Some(a), Some(b)) = (left.as_i64(), right.as_i64())
        && sign != "/"
    {
        let number = match sign {
            "+" => a.checked_add(b),
            "-" => a.checked_sub(b),
            "*" => a.checked_mul(b),
            _ => a.checked_rem(b),
        };
        return number
            .map(Value::from)
            .ok_or_else(|| format!("{a} {sign} {b} has no value"));
    }
    let (Some(a), Some(b)) = (left.as_f64(), right.as_f64()) else {
        return Err(unfit(sign, left, right));
    };
    let number = match sign {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        _ => a % b,
    };
    serde_json::Number::from_f64(number)
        .map(Value::Number)
        .ok_or_else(|| format!("{a} {sign} {b} has no value"))
}

fn call(function: &str, of: &Value) -> Result<Value, String> {
    let length = match of {
        Value::String(text) => text.chars().count(),
        Value::Array(list) => list.len(),
        Value::Object(table) => table.len(),
        _ => return Err(format!("{function} of {}, which is {}", show(of), kind(of))),
    };
    if function == "length" {
        return Ok(length.into());
    }
    let Value::Array(list) = of else {
        return Err(format!("{function} of {}, which is {}", show(of), kind(of)));
    };
    let pick = |wanted: Ordering| {
        let (first, rest) = list
            .split_first()
            .ok_or(format!("{function} of an empty list"))?;
        rest.iter().try_fold(first.clone(), |best, one| {
            let better = order("<", one, &best)? == wanted;
            Ok(if better { one.clone() } else { best })
        })
    };
    match function {
        "sum" => list
            .iter()
            .try_fold(Value::from(0), |sum, one| arithmetic("+", &sum, one)),
        "min" => pick(Ordering::Less),
        "max" => pick(Ordering::Greater),
        "any" => Ok(list.iter().any(truth).into()),
        _ => Ok(list.iter().all(truth).into()),
    }
}

fn unfit(sign: &str, left: &Value, right: &Value) -> String {
    format!(
        "{} {sign} {}: {} does not go with {}",
        show(left),
        show(right),
        kind(left),
        kind(right)
    )
}

fn show(value: &Value) -> String {
    match value {
        Value::Array(list) if list.len() > 8 => format!("a list of {}", list.len()),
        Value::Object(table) if table.len() > 8 => format!("a table of {}", table.len()),
        value => clip(&value.to_string()),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
