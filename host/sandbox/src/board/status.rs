//! Progress, values and events within their bounds.

use super::Halt;
use super::history::History;
use crate::text::clip;
use std::time::{SystemTime, UNIX_EPOCH};
use wasmhost_proto::Timestamp;
use wasmhost_proto::limits::{
    MAX_EVENTS, MAX_STATUS_BYTES, MAX_STATUS_NAME, MAX_STATUS_VALUE, MAX_STATUS_VALUES,
};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::status::{Event, NamedValue, Progress, Status, Value};

#[derive(Default)]
pub(super) struct StatusBoard {
    status: Status,
    /// What the values and events count for.
    bytes: usize,
    history: History,
}

/// What an entry counts for beside its text.
const ENTRY: usize = 64;

impl StatusBoard {
    /// All of it, to be shown: what is new in it is remembered.
    pub(super) fn show(&mut self) -> Status {
        self.history.note(now(), &mut self.status);
        self.status.clone()
    }

    /// All of it at the end. What was never shown before has no past.
    pub(super) fn last(&mut self) -> Status {
        if !self.status.history.is_empty() {
            self.history.note(now(), &mut self.status);
        }
        std::mem::take(&mut self.status)
    }

    pub(super) fn progress(&mut self, done: u64, total: Option<u64>, message: Option<String>) {
        self.status.progress = Some(Progress {
            done,
            total,
            message: message.map(|m| clip(m, MAX_STATUS_VALUE)),
        });
    }

    pub(super) fn set(&mut self, name: String, value: Value) -> Result<(), Halt> {
        let (name, value) = checked(name, Some(value))?;
        let Some(value) = value else { return Ok(()) };
        let values = &mut self.status.values;
        let known = values.iter_mut().find(|v| v.name == name);
        let before = known.as_ref().map_or(0, |v| size(&v.name, Some(&v.value)));
        let bytes = self.bytes - before + size(&name, Some(&value));
        if bytes > MAX_STATUS_BYTES {
            return Err(Halt::new(
                FailureKind::HostCallLimit,
                format!("with '{name}' the status is over the limit of {MAX_STATUS_BYTES} bytes"),
            ));
        }
        if let Some(known) = known {
            known.value = value;
        } else if values.len() < MAX_STATUS_VALUES {
            values.push(NamedValue { name, value });
        } else {
            return Err(Halt::new(
                FailureKind::HostCallLimit,
                format!("status value '{name}' is one more than the {MAX_STATUS_VALUES} allowed"),
            ));
        }
        self.bytes = bytes;
        Ok(())
    }

    pub(super) fn event(&mut self, name: String, value: Option<Value>) -> Result<(), Halt> {
        let (name, value) = checked(name, value)?;
        let bytes = self.bytes + size(&name, value.as_ref());
        if self.status.events.len() < MAX_EVENTS && bytes <= MAX_STATUS_BYTES {
            self.bytes = bytes;
            let at = now();
            self.status.events.push(Event { at, name, value });
        } else {
            self.status.events_dropped += 1;
        }
        Ok(())
    }
}

fn size(name: &str, value: Option<&Value>) -> usize {
    let text = match value {
        Some(Value::Text(text) | Value::Json(text)) => text.len(),
        _ => 0,
    };
    ENTRY + name.len() + text
}

/// Text is clipped; what cannot be clipped without becoming false is refused.
fn checked(name: String, value: Option<Value>) -> Result<(String, Option<Value>), Halt> {
    let name = clip(name, MAX_STATUS_NAME);
    let invalid = |why: String| {
        Err(Halt::new(
            FailureKind::InvalidData,
            format!("status value '{name}' {why}"),
        ))
    };
    let value = match value {
        Some(Value::Text(text)) => Some(Value::Text(clip(text, MAX_STATUS_VALUE))),
        Some(Value::Float(number)) if !number.is_finite() => {
            return invalid(format!("is {number}, which is not a finite number"));
        }
        Some(Value::Json(json)) if json.len() > MAX_STATUS_VALUE => {
            return invalid(format!(
                "is {} bytes of JSON, over the limit of {MAX_STATUS_VALUE}",
                json.len()
            ));
        }
        Some(Value::Json(json)) => {
            if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&json) {
                return invalid(format!("is not JSON: {error}"));
            }
            Some(Value::Json(json))
        }
        other => other,
    };
    Ok((name, value))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| d.as_millis() as u64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        let long = "x".repeat(MAX_STATUS_VALUE + 1);
        for (value, ok) in [
            (Value::Int(1), true),
            (Value::Float(0.5), true),
            (Value::Float(f64::NAN), false),
            (Value::Float(f64::INFINITY), false),
            (Value::Json("{\"a\":[1]}".into()), true),
            (Value::Json("{".into()), false),
            (Value::Json("[".repeat(4000)), false),
            (Value::Json(format!("\"{long}\"")), false),
            (Value::Text(long), true),
        ] {
            let mut board = StatusBoard::default();
            let result = board.set("n".into(), value.clone());
            assert_eq!(result.is_ok(), ok, "{value:?}");
            if let Err(halt) = result {
                assert_eq!(halt.kind, FailureKind::InvalidData);
            }
        }
    }

    #[test]
    fn the_latest_value_of_a_name_wins_and_names_are_counted() {
        let mut board = StatusBoard::default();
        for round in 0..2 {
            for i in 0..MAX_STATUS_VALUES {
                board.set(format!("v{i}"), Value::Int(round)).unwrap();
            }
        }
        assert_eq!(board.status.values.len(), MAX_STATUS_VALUES);
        assert!(board.status.values.iter().all(|v| v.value == Value::Int(1)));
        let halt = board.set("more".into(), Value::Flag(true)).unwrap_err();
        assert_eq!(halt.kind, FailureKind::HostCallLimit);
    }

    #[test]
    fn the_whole_is_bounded() {
        let text = || Value::Text("x".repeat(MAX_STATUS_VALUE));
        let mut board = StatusBoard::default();
        for _ in 0..2 * MAX_STATUS_BYTES / MAX_STATUS_VALUE {
            board.set("same".into(), text()).unwrap();
            board.event("e".into(), Some(text())).unwrap();
        }
        let value = size("same", Some(&text()));
        let kept = (MAX_STATUS_BYTES - value) / size("e", Some(&text()));
        assert_eq!(board.status.events.len(), kept);
        let halt = (0..2).find_map(|i| board.set(format!("v{i}"), text()).err());
        assert_eq!(halt.unwrap().kind, FailureKind::HostCallLimit);
    }

    #[test]
    fn late_events_are_counted() {
        let mut board = StatusBoard::default();
        for _ in 0..MAX_EVENTS + 7 {
            board.event("e".repeat(100), None).unwrap();
        }
        assert_eq!(board.status.events.len(), MAX_EVENTS);
        assert_eq!(board.status.events_dropped, 7);
        assert!(board.status.events[0].name.len() <= MAX_STATUS_NAME);
    }
}
