//! Why a script did not come to its end, told with its own lines.

use rhai::{Dynamic, EvalAltResult, ParseError, Position};
use wasmhost_engine::Failure;

/// A script that cannot be read.
pub(crate) fn syntax(file: &str, error: &ParseError) -> Failure {
    let at = place(file, error.position());
    Failure::new(format!("{at}: {}", error.err_type()))
}

/// A script that failed.
pub(crate) fn tell(file: &str, error: EvalAltResult) -> Failure {
    let mut stack = Vec::new();
    let mut function = "<main>".to_owned();
    let mut error = error;
    // From the outside in: each call has the place of the call, and what it failed of.
    loop {
        let at = error.take_position();
        if !at.is_none() {
            stack.push(format!("{function} ({})", place(file, at)));
        }
        error = match error {
            EvalAltResult::ErrorInFunctionCall(name, _, inner, _) => {
                // Closures have made-up names.
                let closure = name.starts_with("anon$");
                function = if closure { "<closure>".into() } else { name };
                *inner
            }
            other => {
                error = other;
                break;
            }
        };
    }
    stack.reverse();
    let (message, retryable) = match error {
        EvalAltResult::ErrorRuntime(thrown, _) => about(thrown),
        other => (other.to_string(), false),
    };
    Failure {
        message,
        stack,
        retryable,
    }
}

/// The message of what was thrown, and whether it says that another attempt may help.
fn about(thrown: Dynamic) -> (String, bool) {
    let Some(map) = thrown.read_lock::<rhai::Map>() else {
        return (thrown.to_string(), false);
    };
    let retryable = map.get("retryable").and_then(|flag| flag.as_bool().ok());
    let message = match map.get("message") {
        Some(message) => message.to_string(),
        None => thrown.to_string(),
    };
    (message, retryable == Some(true))
}

/// `report.rhai:3:5`
fn place(file: &str, at: Position) -> String {
    match (at.line(), at.position()) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        (Some(line), None) => format!("{file}:{line}"),
        _ => file.to_owned(),
    }
}
