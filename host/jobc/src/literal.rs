//! Texts as a definition writes them: which of the written bytes mean a part of the value.

use std::ops::Range;

/// The part of a written text, quotes and all, that means a part of its value; none if
/// the value is not what is written.
pub(crate) fn within(written: &str, value: &str, part: &Range<usize>) -> Option<Range<usize>> {
    let mut from = None;
    let mut to = None;
    let mut at = 0;
    for (start, end, len) in Pieces::of(written)? {
        // An escape stands for all that it means.
        if at <= part.start && part.start < at + len {
            from = Some(start);
        }
        if at < part.end && part.end <= at + len {
            to = Some(end);
        }
        at += len;
        if at == part.start {
            from = Some(end);
        }
    }
    let from = from?;
    (at == value.len()).then_some(from..to.unwrap_or(from).max(from))
}

/// The characters of a text's value: where each is written from and to, and its length
/// in the value.
struct Pieces<'t> {
    written: &'t str,
    at: usize,
    end: usize,
    escapes: bool,
}

impl<'t> Pieces<'t> {
    fn of(written: &'t str) -> Option<Pieces<'t>> {
        let quotes = ["\"\"\"", "'''", "\"", "'"];
        let quote = quotes.into_iter().find(|quote| {
            let closed = written.len() >= 2 * quote.len() && written.ends_with(quote);
            closed && written.starts_with(quote)
        })?;
        let mut at = quote.len();
        if quote.len() == 3 {
            // A line's end right behind the quotes is not part of the text.
            let rest = &written[at..];
            let mut ends = ["\r\n", "\n"].into_iter();
            at += ends.find(|end| rest.starts_with(end)).map_or(0, str::len);
        }
        Some(Pieces {
            written,
            at,
            end: (written.len() - quote.len()).max(at),
            escapes: quote.starts_with('"'),
        })
    }

    /// The length of an escape and of what it means, both in bytes.
    fn escape(rest: &str) -> (usize, usize) {
        let mut chars = rest.chars().skip(1);
        let digits = match chars.next() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some(c) if c.is_whitespace() => {
                // The text goes on behind all blanks.
                let blank = rest[1..].len() - rest[1..].trim_start().len();
                return (1 + blank, 0);
            }
            _ => return (rest.len().min(2), 1),
        };
        let code = rest.get(2..2 + digits);
        let code = code.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let meant = code.and_then(char::from_u32).map_or(0, char::len_utf8);
        (2 + digits, meant)
    }
}

impl Iterator for Pieces<'_> {
    type Item = (usize, usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.written.get(self.at..self.end)?;
        let first = rest.chars().next()?;
        let (written, meant) = match first {
            '\\' if self.escapes => Pieces::escape(rest),
            c => (c.len_utf8(), c.len_utf8()),
        };
        let start = self.at;
        self.at = (start + written).min(self.end);
        Some((start, self.at, meant))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use toml::de::{DeTable, DeValue};

    #[test]
    fn parts_of_texts_are_found_as_they_are_written() {
        let check = |literal: &str, part: &str, want: &str| {
            let text = format!("a = {literal}");
            let table = DeTable::parse(&text).unwrap();
            let (_, value) = table.get_ref().iter().next().unwrap();
            let written = &text[value.span()];
            let DeValue::String(value) = value.get_ref() else {
                panic!("{literal}")
            };
            let from = value.find(part).unwrap();
            let found = within(written, value, &(from..from + part.len())).unwrap();
            assert_eq!(&written[found], want, "{literal}");
        };
        check(r#""abc""#, "b", "b");
        check(r#""abc""#, "abc", "abc");
        check(r#""abc""#, "", "");
        check("'a\\b'", "b", "b");
        check(r#""a\"b\" c""#, "b\"", "b\\\"");
        check(r#""\u00e9é\U0001F600 x""#, "x", "x");
        check(r#""\u00e9 x""#, "é", "\\u00e9");
        check(r#""\t\\n x""#, "\\n", "\\\\n");
        check(
            "\"\"\"\nlet s = \\\"a\\\";\n  y ;\"\"\"",
            ";\n  y",
            ";\n  y",
        );
        check("'''\nlet s = 'a';\n  y ;'''", "y ;", "y ;");
        check("\"\"\"a \\\n   b\"\"\"", "b", "b");
        check("\"\"\"quoted \"\"\"\"", "\"", "\"");
        let fits = within("\"abc\"", "other", &(0..1));
        assert_eq!(fits, None);
        assert_eq!(within("", "", &(0..0)), None);
        assert_eq!(within("\"\"", "", &(0..0)), None);
    }
}
