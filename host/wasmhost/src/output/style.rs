//! The few colours, and what they mean. They are always written; the streams
//! take them out again where nobody could see them.

use comfy_table::{Cell, Color};
use owo_colors::{AnsiColors, OwoColorize};
use std::fmt::Display;
use wasmhost_proto::api::{JobState, TaskState, WorkerState};

/// Good, bad, busy or neither.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Green.
    Good,
    /// Red.
    Bad,
    /// Yellow.
    Warn,
    /// Cyan.
    Busy,
    /// As the rest.
    Plain,
}

impl Tone {
    /// The text in this tone.
    pub(crate) fn paint(self, text: impl Display) -> String {
        let color = match self {
            Tone::Good => AnsiColors::Green,
            Tone::Bad => AnsiColors::Red,
            Tone::Warn => AnsiColors::Yellow,
            Tone::Busy => AnsiColors::Cyan,
            Tone::Plain => return text.to_string(),
        };
        text.color(color).to_string()
    }

    /// A table cell in this tone.
    pub(crate) fn cell(self, text: impl ToString) -> Cell {
        let cell = Cell::new(text);
        match self {
            Tone::Good => cell.fg(Color::DarkGreen),
            Tone::Bad => cell.fg(Color::DarkRed),
            Tone::Warn => cell.fg(Color::DarkYellow),
            Tone::Busy => cell.fg(Color::DarkCyan),
            Tone::Plain => cell,
        }
    }
}

/// Bold.
pub(crate) fn bold(text: impl Display) -> String {
    text.bold().to_string()
}

/// Dim.
pub(crate) fn dim(text: impl Display) -> String {
    text.dimmed().to_string()
}

/// A state's word and tone.
pub(crate) trait Named: Copy {
    /// Its word.
    fn word(self) -> &'static str;
    /// Its tone.
    fn tone(self) -> Tone;
    /// The word in the tone.
    fn painted(self) -> String {
        self.tone().paint(self.word())
    }
    /// A table cell of it.
    fn cell(self) -> Cell {
        self.tone().cell(self.word())
    }
}

impl Named for JobState {
    fn word(self) -> &'static str {
        match self {
            JobState::Queued => "queued",
            JobState::Running => "running",
            JobState::Stopping => "stopping",
            JobState::Succeeded => "succeeded",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
        }
    }
    fn tone(self) -> Tone {
        match self {
            JobState::Queued => Tone::Plain,
            JobState::Running => Tone::Busy,
            JobState::Stopping | JobState::Cancelled => Tone::Warn,
            JobState::Succeeded => Tone::Good,
            JobState::Failed => Tone::Bad,
        }
    }
}

impl Named for TaskState {
    fn word(self) -> &'static str {
        match self {
            TaskState::Waiting => "waiting",
            TaskState::Assigned => "assigned",
            TaskState::Running => "running",
            TaskState::Succeeded => "succeeded",
            TaskState::Failed => "failed",
            TaskState::Cancelled => "cancelled",
            TaskState::Skipped => "skipped",
        }
    }
    fn tone(self) -> Tone {
        match self {
            TaskState::Waiting | TaskState::Assigned | TaskState::Skipped => Tone::Plain,
            TaskState::Running => Tone::Busy,
            TaskState::Succeeded => Tone::Good,
            TaskState::Failed => Tone::Bad,
            TaskState::Cancelled => Tone::Warn,
        }
    }
}

impl Named for WorkerState {
    fn word(self) -> &'static str {
        match self {
            WorkerState::Up => "up",
            WorkerState::Suspect => "suspect",
            WorkerState::Draining => "draining",
            WorkerState::Drained => "drained",
            WorkerState::Gone => "gone",
        }
    }
    fn tone(self) -> Tone {
        match self {
            WorkerState::Up => Tone::Good,
            WorkerState::Suspect | WorkerState::Draining | WorkerState::Drained => Tone::Warn,
            WorkerState::Gone => Tone::Bad,
        }
    }
}
