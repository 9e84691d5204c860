//! Clips what a guest says.

/// At most `max` bytes of `text`, cut at a character and marked with `…`.
pub(crate) fn clip(mut text: String, max: usize) -> String {
    const MARK: char = '…';
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max.saturating_sub(MARK.len_utf8())));
        if max >= MARK.len_utf8() {
            text.push(MARK);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::clip;

    #[test]
    fn cuts_at_characters() {
        for (text, max, want) in [
            ("abc", 3, "abc"),
            ("abcdef", 5, "ab…"),
            ("äöü", 5, "ä…"),
            ("äöü", 4, "…"),
            ("abc", 1, ""),
        ] {
            assert_eq!(clip(text.into(), max), want, "{text} to {max}");
        }
    }
}
