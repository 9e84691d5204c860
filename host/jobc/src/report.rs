//! Collects mistakes: all of them, in the order of the text, up to a bound.

use crate::definition::Spot;
use std::ops::Range;
use wasmhost_proto::api::{Diagnostic, Span};
use wasmhost_proto::limits::MAX_DIAGNOSTICS;

/// The mistakes found so far in one text.
pub(crate) struct Report<'t> {
    text: &'t str,
    found: Vec<Diagnostic>,
    more: usize,
}

impl<'t> Report<'t> {
    pub(crate) fn new(text: &'t str) -> Report<'t> {
        Report {
            text,
            found: Vec::new(),
            more: 0,
        }
    }

    /// Adds a mistake; `help` may be empty.
    pub(crate) fn add(
        &mut self,
        code: &str,
        at: Option<&Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.found.len() == MAX_DIAGNOSTICS {
            self.more += 1;
            return;
        }
        let help = help.into();
        self.found.push(Diagnostic {
            code: code.to_owned(),
            message: message.into(),
            help: (!help.is_empty()).then_some(help),
            span: at.map(|range| span(self.text, range)),
        });
    }

    /// Whether another mistake would only be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() == MAX_DIAGNOSTICS
    }

    /// Counts a mistake that nobody will see.
    pub(crate) fn more(&mut self) {
        self.more += 1;
    }

    /// The place of a part of a text, if the definition has the text as it is:
    /// without escapes. Else that of the whole.
    pub(crate) fn within(&self, text: &Spot<String>, part: &Range<usize>) -> Range<usize> {
        let written = self.text.get(text.at.clone()).unwrap_or_default();
        match written.find(&text.value) {
            Some(from) if !text.value.is_empty() => {
                let from = text.at.start + from;
                from + part.start..from + part.end
            }
            _ => text.at.clone(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All mistakes; those with a place first, in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found
            .sort_by_key(|d| d.span.map_or(usize::MAX, |s| s.start));
        if self.more > 0 {
            self.found.push(Diagnostic {
                code: "more".into(),
                message: format!("and {} more mistakes", self.more),
                help: None,
                span: None,
            });
        }
        self.found
    }
}

/// The place of a range of bytes. Ranges that split a character or pass the end
/// are moved back, since parsers point there at times.
fn span(text: &str, range: &Range<usize>) -> Span {
    let start = text.floor_char_boundary(range.start);
    let end = text.floor_char_boundary(range.end).max(start);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Span {
        start,
        end,
        line: before.bytes().filter(|b| *b == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let check = |text: &str, range: Range<usize>, line: usize, column: usize| {
            let got = span(text, &range);
            assert_eq!((got.line, got.column), (line, column), "{text:?} {range:?}");
            assert!(text.get(got.start..got.end).is_some());
        };
        check("", 0..0, 1, 1);
        check("a\nbc", 3..4, 2, 2);
        check("é = 1", 2..3, 1, 2);
        check("é", 1..1, 1, 1);
        check("x", 7..9, 1, 2);
    }
}
