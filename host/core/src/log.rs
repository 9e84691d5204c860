//! The log text of one attempt within its bound: the first and the last half.

use wasmhost_proto::limits::MAX_LOG_BYTES;

const HALF: usize = MAX_LOG_BYTES / 2;

/// Text that grows at its end and loses its middle.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Log {
    head: String,
    tail: String,
    dropped: u64,
}

impl Log {
    pub(crate) fn push(&mut self, text: &str) {
        let mut cut = text.len().min(HALF - self.head.len());
        if !self.tail.is_empty() || self.dropped > 0 {
            cut = 0;
        }
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        self.head.push_str(&text[..cut]);
        self.tail.push_str(&text[cut..]);
        // Twice the half before cutting: moving the tail then costs a constant per byte.
        if self.tail.len() > 2 * HALF {
            self.trim();
        }
    }

    fn trim(&mut self) {
        let mut from = self.tail.len().saturating_sub(HALF);
        while !self.tail.is_char_boundary(from) {
            from += 1;
        }
        self.dropped += from as u64;
        self.tail.drain(..from);
    }

    /// The text; a line in its middle says how much is missing.
    pub(crate) fn text(&self) -> String {
        let mut whole = self.clone();
        whole.trim();
        match whole.dropped {
            0 => whole.head + &whole.tail,
            n => format!("{}\n[{n} bytes left out]\n{}", whole.head, whole.tail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_both_ends() {
        let mut log = Log::default();
        log.push("first\n");
        assert_eq!(log.text(), "first\n");
        for _ in 0..5000 {
            log.push("é filler line of some length that goes on\n");
        }
        log.push("last\n");
        let text = log.text();
        assert!(text.starts_with("first\n") && text.ends_with("last\n"));
        assert!(text.contains("bytes left out") && text.len() < MAX_LOG_BYTES + 64);
    }
}
