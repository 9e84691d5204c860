//! Status from programs that know nothing of it but a file: what they append to it is read
//! as it comes, a JSON value for each line. A line that says nothing of that kind costs
//! only itself.

use super::Inner;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use wasmhost_proto::limits::{MAX_STATUS_FEED, MAX_STATUS_LINE};
use wasmhost_proto::status::Value;

/// What one line says.
#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Progress {
        done: u64,
        total: Option<u64>,
        message: Option<String>,
    },
    Set {
        name: String,
        value: serde_json::Value,
    },
    Event {
        name: String,
        value: Option<serde_json::Value>,
    },
    Log(String),
}

/// A file that is read as it grows.
pub(crate) struct Feed {
    file: File,
    /// Bytes that were read.
    at: u64,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The line is longer than one may be.
    long: bool,
    /// A bad line was told.
    told: bool,
}

impl Feed {
    /// Reads `file` from its beginning.
    pub(crate) fn new(file: File) -> Feed {
        Feed {
            file,
            at: 0,
            line: Vec::new(),
            long: false,
            told: false,
        }
    }

    /// Takes in what is new, or much of it.
    pub(super) fn read(&mut self, inner: &mut Inner) {
        let len = self.file.metadata().map_or(0, |about| about.len());
        if len < self.at {
            // It was begun anew.
            (self.at, self.long) = (0, false);
            self.line.clear();
        }
        if len == self.at || self.file.seek(SeekFrom::Start(self.at)).is_err() {
            return;
        }
        let mut new = Vec::new();
        // What cannot be read now is read later, or never.
        let read = (&mut self.file).take(MAX_STATUS_FEED).read_to_end(&mut new);
        self.at += read.map_or(0, |read| read as u64);
        for piece in new.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece {
                [text @ .., b'\n'] => (text, true),
                text => (text, false),
            };
            let room = MAX_STATUS_LINE - self.line.len();
            self.long |= text.len() > room;
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                self.end_line(inner);
            }
        }
    }

    /// The end of the last line, which may lack its newline.
    pub(super) fn finish(&mut self, inner: &mut Inner) {
        self.read(inner);
        self.end_line(inner);
    }

    fn end_line(&mut self, inner: &mut Inner) {
        let line = std::mem::take(&mut self.line);
        let long = std::mem::take(&mut self.long);
        if line.trim_ascii().is_empty() {
            return;
        }
        let said = match long {
            true => Err(format!("it has more than {MAX_STATUS_LINE} bytes")),
            false => serde_json::from_slice(&line).map_err(|error| error.to_string()),
        };
        if let Err(why) = said.and_then(|said| say(inner, said))
            && !std::mem::replace(&mut self.told, true)
        {
            let text = format!(
                "a line of WASMHOST_STATUS says nothing: {why}; others that do not are left out, too"
            );
            let _ = inner.count(|inner| inner.log.message("warn", &text));
        }
    }
}

fn say(inner: &mut Inner, line: Line) -> Result<(), String> {
    let done = inner.count(|inner| match line {
        Line::Progress {
            done,
            total,
            message,
        } => {
            inner.status.progress(done, total, message);
            Ok(())
        }
        Line::Set { name, value } => inner.status.set(name, typed(value)),
        Line::Event { name, value } => inner.status.event(name, value.map(typed)),
        Line::Log(text) => inner.log.message("info", &text),
    });
    done.map_err(|halt| halt.message)
}

/// A value by its type in JSON.
fn typed(value: serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::String(text) => Value::Text(text),
        Json::Bool(flag) => Value::Flag(flag),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(number)) => Value::Float(number),
            (None, None) => Value::Json(number.to_string()),
        },
        other => Value::Json(other.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Board;
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_are_read_as_they_come_and_bad_ones_cost_only_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status");
        let mut file = File::create(&path).unwrap();
        let board = Board::new(0);
        board.follow(Feed::new(File::open(&path).unwrap()));
        assert!(board.news().is_none());
        let mut say = |text: &str| file.write_all(text.as_bytes()).unwrap();
        say("{\"progress\":{\"done\":1,\"total\":4}}\n{\"set\":{\"name\":\"phase\",");
        let (status, _) = board.news().unwrap();
        assert_eq!(
            status.progress.map(|p| (p.done, p.total)),
            Some((1, Some(4)))
        );
        assert!(status.values.is_empty());
        say("\"value\":\"parse\"}}\nnot JSON\n{\"other\":1}\n");
        say(&format!("{}\n", "x".repeat(MAX_STATUS_LINE + 1)));
        say("{\"set\":{\"name\":\"n\",\"value\":7}}\n\n{\"set\":{\"name\":\"j\",\"value\":[1]}}\n");
        say("{\"event\":{\"name\":\"half\",\"value\":0.5}}\n{\"log\":\"a line\"}\n");
        let (status, log) = board.news().unwrap();
        let value = |name: &str| {
            let found = status.values.iter().find(|v| v.name == name);
            found.map(|v| v.value.clone())
        };
        assert_eq!(value("phase"), Some(Value::Text("parse".into())));
        assert_eq!(value("n"), Some(Value::Int(7)));
        assert_eq!(value("j"), Some(Value::Json("[1]".into())));
        assert_eq!(status.events[0].value, Some(Value::Float(0.5)));
        assert_eq!(log.matches("says nothing").count(), 1, "{log}");
        assert!(log.contains("info a line"), "{log}");
        assert!(board.halt().is_none());
        // Begun anew, and without an end.
        std::fs::write(&path, "{\"progress\":{\"done\":4}}").unwrap();
        let (status, ..) = board.finish();
        assert_eq!(status.progress.map(|p| p.done), Some(4));
    }
}
