//! The log of an attempt: its first and last halves, whole lines, as text.
//! The first half is reported as it comes; the last one when the attempt ends.

use super::Halt;
use crate::text::clip;
use std::collections::VecDeque;
use wasmhost_proto::limits::{MAX_LOG_BYTES, MAX_LOG_FLOOD, MAX_LOG_LINE};
use wasmhost_proto::outcome::FailureKind;

const HALF: usize = MAX_LOG_BYTES / 2;
/// A panic message: its place and what it says.
const MAX_PANIC: usize = 2 << 10;

/// Streams whose lines must not run into each other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

#[derive(Default)]
pub(super) struct Log {
    /// Not yet reported.
    new: String,
    /// Bytes that went into the first half.
    head: usize,
    /// Whether the first half is full.
    full: bool,
    tail: VecDeque<u8>,
    left_out: u64,
    /// Bytes that the guest has written, kept or not.
    written: u64,
    partial: [Line; 2],
    panic: Panic,
}

/// The line that a stream is writing.
#[derive(Default)]
struct Line {
    bytes: Vec<u8>,
    cut: bool,
}

#[derive(Default)]
struct Panic {
    text: String,
    open: bool,
}

impl Log {
    /// A line of the log interface.
    pub(super) fn message(&mut self, level: &str, message: &str) -> Result<(), Halt> {
        self.count(message.len())?;
        let line = clip(format!("{level} {message}"), MAX_LOG_LINE);
        self.line(&line);
        Ok(())
    }

    /// Bytes of a stream; its lines are logged as they end.
    pub(super) fn bytes(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Halt> {
        self.count(bytes.len())?;
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let (text, ended) = match piece {
                [text @ .., b'\n'] => (text, true),
                text => (text, false),
            };
            let line = &mut self.partial[stream as usize];
            let room = MAX_LOG_LINE - line.bytes.len();
            line.cut |= text.len() > room;
            line.bytes.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.end_line(stream);
            }
        }
        Ok(())
    }

    /// The text that came since the last call, up to the end of the first half.
    pub(super) fn take_new(&mut self) -> String {
        std::mem::take(&mut self.new)
    }

    /// What is left: unreported text, a note on what was left out, the last half.
    pub(super) fn finish(&mut self) -> String {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if !self.partial[stream as usize].bytes.is_empty() {
                self.end_line(stream);
            }
        }
        let mut text = self.take_new();
        let mut tail = Vec::from(std::mem::take(&mut self.tail));
        if self.left_out > 0 {
            // The ring begins in the middle of a line.
            let start = tail.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
            self.left_out += start as u64;
            tail.drain(..start);
            text.push_str(&format!("… {} bytes left out …\n", self.left_out));
        }
        text.push_str(&String::from_utf8_lossy(&tail));
        text
    }

    /// The latest panic message, as Rust's standard library words it.
    pub(super) fn panic(&mut self) -> Option<String> {
        let text = self.panic.text.trim_end();
        (!text.is_empty()).then(|| clip(text.to_owned(), MAX_PANIC))
    }

    fn count(&mut self, bytes: usize) -> Result<(), Halt> {
        // A line costs something even when it is empty.
        self.written += bytes as u64 + 1;
        if self.written <= MAX_LOG_FLOOD {
            return Ok(());
        }
        Err(Halt::new(
            FailureKind::HostCallLimit,
            format!("more than {MAX_LOG_FLOOD} bytes written to standard error and the log"),
        ))
    }

    fn end_line(&mut self, stream: Stream) {
        let line = std::mem::take(&mut self.partial[stream as usize]);
        let mut text = String::from_utf8_lossy(&line.bytes).into_owned();
        if line.cut {
            text.push('…');
        }
        self.line(&text);
    }

    fn line(&mut self, line: &str) {
        self.panic.see(line);
        if !self.full && self.head + line.len() < HALF {
            self.head += line.len() + 1;
            self.new.push_str(line);
            self.new.push('\n');
            return;
        }
        self.full = true;
        self.tail.extend(line.as_bytes());
        self.tail.push_back(b'\n');
        let over = self.tail.len().saturating_sub(HALF);
        self.tail.drain(..over);
        self.left_out += over as u64;
    }
}

impl Panic {
    /// `thread 'main' panicked at src/lib.rs:1:2:`, the message, then a note.
    fn see(&mut self, line: &str) {
        if let Some(at) = line.find("panicked at ") {
            self.text = format!("{} ", &line[at..]);
            self.open = true;
        } else if self.open {
            self.open =
                !line.is_empty() && !line.starts_with("note: ") && self.text.len() < MAX_PANIC;
            if self.open {
                self.text.push_str(line);
                self.text.push('\n');
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Log), want: &str) {
        let mut log = Log::default();
        write(&mut log);
        assert_eq!(log.finish(), want);
    }

    #[test]
    fn streams_become_lines() {
        check(
            |log| {
                log.bytes(Stream::Stderr, b"ab").unwrap();
                log.bytes(Stream::Stdout, b"out\n").unwrap();
                log.bytes(Stream::Stderr, b"c\n\nd\xff").unwrap();
                log.message("info", "hello").unwrap();
            },
            "out\nabc\n\ninfo hello\nd\u{fffd}\n",
        );
    }

    #[test]
    fn long_lines_are_cut() {
        let long = vec![b'x'; MAX_LOG_LINE * 2];
        let want = format!("{}…\n", "x".repeat(MAX_LOG_LINE));
        check(|log| log.bytes(Stream::Stderr, &long).unwrap(), &want);
    }

    #[test]
    fn the_first_and_last_halves_are_kept() {
        let mut log = Log::default();
        let lines = 10_000;
        for i in 0..lines {
            log.message("info", &format!("line {i}")).unwrap();
        }
        let head = log.take_new();
        assert!(head.starts_with("info line 0\n") && head.len() <= HALF);
        let rest = log.finish();
        let (note, tail) = rest.split_once('\n').unwrap();
        assert!(tail.ends_with(&format!("info line {}\n", lines - 1)) && tail.len() <= HALF);
        assert!(tail.starts_with("info line "));
        let all: usize = (0..lines).map(|i| format!("info line {i}\n").len()).sum();
        let out = all - head.len() - tail.len();
        assert_eq!(note, format!("… {out} bytes left out …"));
    }

    #[test]
    fn a_flood_is_stopped() {
        let mut log = Log::default();
        let block = vec![b'x'; 1 << 20];
        let halt = (0..100).find_map(|_| log.bytes(Stream::Stderr, &block).err());
        assert_eq!(halt.unwrap().kind, FailureKind::HostCallLimit);
    }

    #[test]
    fn panic_messages_are_found() {
        let mut log = Log::default();
        let text = b"\nthread 'main' (1) panicked at src/lib.rs:3:5:\nboom\nnote: run with\n";
        log.bytes(Stream::Stderr, text).unwrap();
        assert_eq!(log.panic().unwrap(), "panicked at src/lib.rs:3:5: boom");
    }
}
