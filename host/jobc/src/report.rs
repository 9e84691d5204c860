//! Collects mistakes: all of them, in the order of the text, up to a bound.

use crate::definition::Spot;
use crate::literal;
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
        if self.is_full() {
            return self.more();
        }
        let help = help.into();
        self.found.push(Diagnostic {
            code: code.to_owned(),
            message: message.into(),
            help: (!help.is_empty()).then_some(help),
            span: at.map(|range| Span::of(self.text, range)),
            file: None,
        });
    }

    /// Adds a mistake that was found elsewhere.
    pub(crate) fn push(&mut self, found: Diagnostic) {
        match self.is_full() {
            true => self.more(),
            false => self.found.push(found),
        }
    }

    /// Adds mistakes that have no place yet, at one.
    pub(crate) fn all(&mut self, faults: &[Diagnostic], at: &Range<usize>) {
        for fault in faults {
            let help = fault.help.as_deref().unwrap_or_default();
            self.add(&fault.code, Some(at), &*fault.message, help);
        }
    }

    /// Whether another mistake would only be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() == MAX_DIAGNOSTICS
    }

    /// Counts a mistake that nobody will see.
    pub(crate) fn more(&mut self) {
        self.more += 1;
    }

    /// The place of a part of a text that the definition gives.
    pub(crate) fn within(&self, text: &Spot<String>, part: &Range<usize>) -> Range<usize> {
        let written = self.text.get(text.at.clone()).unwrap_or_default();
        match literal::within(written, &text.value, part) {
            Some(part) => text.at.start + part.start..text.at.start + part.end,
            None => text.at.clone(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All mistakes: those of the definition, then those of other files; those with a
    /// place first, in the order of the text.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found
            .sort_by_cached_key(|d| (d.file.clone(), d.span.map_or(usize::MAX, |s| s.start)));
        if self.more > 0 {
            self.found.push(Diagnostic {
                code: "more".into(),
                message: format!("and {} more mistakes", self.more),
                help: None,
                span: None,
                file: None,
            });
        }
        self.found
    }
}
