//! What is written where: data to standard output, talk to standard error.
//! Colour and bars only where somebody can see them.

/// Writing to a `String` cannot fail.
macro_rules! put { ($($arg:tt)*) => { { let _ = writeln!($($arg)*); } } }

mod attempt;
pub(crate) mod bars;
pub(crate) mod data;
pub(crate) mod definitions;
pub(crate) mod explain;
mod files;
mod graph;
pub(crate) mod human;
pub(crate) mod lists;
pub(crate) mod outputs;
pub(crate) mod params;
pub(crate) mod problem;
pub(crate) mod story;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod timeline;

use crate::cli::exit::Fault;
use crate::settings::OutputFormat;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// Where and how a command writes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Out {
    /// Text or JSON.
    pub(crate) format: OutputFormat,
    /// Ids only.
    pub(crate) quiet: bool,
}

impl Out {
    /// Whether answers are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Writes an answer: as JSON, as its id alone when quiet, or as text.
    pub(crate) fn answer<T: Serialize>(
        &self,
        value: &T,
        id: impl FnOnce(&T) -> String,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        if self.is_json() {
            let mut json = serde_json::to_string_pretty(value)?;
            json.push('\n');
            return self.text(&json);
        }
        self.text(&if self.quiet {
            ended(id(value))
        } else {
            ended(text(value))
        })
    }

    /// Writes text to standard output.
    pub(crate) fn text(&self, text: &str) -> anyhow::Result<()> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    /// Says something to the person: on standard error, never in JSON or quiet mode.
    pub(crate) fn talk(&self, text: impl AsRef<str>) {
        if !self.is_json() && !self.quiet {
            // Nobody can be told that nobody can be told.
            let _ = writeln!(anstream::stderr(), "{}", text.as_ref());
        }
    }

    /// Says why the command failed.
    pub(crate) fn fault(&self, fault: &Fault) {
        let text = if self.is_json() {
            serde_json::to_string_pretty(&fault.problem).unwrap_or_default()
        } else {
            problem::render(&fault.problem, &fault.origins)
        };
        let _ = writeln!(anstream::stderr(), "{}", text.trim_end());
    }

    /// How progress is shown.
    pub(crate) fn progress(&self) -> bars::Mode {
        if self.is_json() || self.quiet {
            bars::Mode::Silent
        } else if io::stderr().is_terminal() && std::env::var_os("CI").is_none() {
            bars::Mode::Live
        } else {
            bars::Mode::Lines
        }
    }
}

fn ended(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
