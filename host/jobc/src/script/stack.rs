//! Keeps a parser within its stack and its time: of a text that asks for more, reading ends.

use std::cell::Cell;
use std::io::{Error, Read, Result};
use std::time::{Duration, Instant};

/// Why reading ended early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cut {
    /// The stack was used up.
    TooDeep,
    /// The time was.
    TooLong,
}

/// Where parsing has come to.
#[derive(Default)]
pub(super) struct Progress {
    /// Bytes that were read.
    pub(super) read: Cell<usize>,
    /// Whether reading ended early.
    pub(super) cut: Cell<Option<Cut>>,
}

/// Time for one script: what is usual takes a thousandth of it for each page, but a long
/// chain such as `a.b.c` costs its square.
const TIME: Duration = Duration::from_millis(500);

/// A text that can be read as long as the reader has stack and time.
pub(super) struct Guarded<'t> {
    text: &'t [u8],
    progress: &'t Progress,
    base: usize,
    stack: usize,
    begun: Instant,
}

impl<'t> Guarded<'t> {
    /// A text for a parser that is called from here, and may use this much stack, bytes.
    pub(super) fn new(text: &'t str, stack: usize, progress: &'t Progress) -> Guarded<'t> {
        Guarded {
            text: text.as_bytes(),
            progress,
            base: here(),
            stack,
            begun: Instant::now(),
        }
    }
}

impl Read for Guarded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let cut = if self.base.abs_diff(here()) > self.stack {
            Cut::TooDeep
        } else if self.begun.elapsed() > TIME {
            Cut::TooLong
        } else {
            let read = self.text.read(buffer)?;
            self.progress.read.set(self.progress.read.get() + read);
            return Ok(read);
        };
        self.progress.cut.set(Some(cut));
        Err(Error::other("the parser is stopped"))
    }
}

/// About where the stack ends now.
#[inline(never)]
fn here() -> usize {
    let mark = 0u8;
    std::ptr::from_ref(std::hint::black_box(&mark)).addr()
}
