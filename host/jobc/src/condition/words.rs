//! A condition's text cut into words.

use super::Mistake;
use crate::read::clip;
use std::ops::Range;

/// One word.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Word {
    /// A name or keyword.
    Name(String),
    /// A text between quotes.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// An operator or bracket.
    Sign(&'static str),
}

/// The longer ones first.
const SIGNS: [&str; 20] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ".",
    ",", "!",
];

/// All words with their places.
pub(super) fn words(text: &str) -> Result<Vec<(Word, Range<usize>)>, Mistake> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let start = at;
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let word = match first {
            '"' | '\'' => quoted(text, first, &mut at)?,
            '0'..='9' => number(text, &mut at)?,
            c if c.is_alphabetic() || c == '_' => {
                at += length(&text[at..], |c| c.is_alphanumeric() || c == '_');
                Word::Name(text[start..at].to_owned())
            }
            other => {
                let Some(sign) = SIGNS.into_iter().find(|s| text[at..].starts_with(s)) else {
                    let end = at + other.len_utf8();
                    let help = match other {
                        '=' => "write == to compare",
                        '$' => "write params.NAME, without ${}",
                        _ => "",
                    };
                    return Err(mistake(
                        start..end,
                        format!("'{other}' has no meaning here"),
                        help,
                    ));
                };
                at += sign.len();
                Word::Sign(sign)
            }
        };
        found.push((word, start..at));
    }
    Ok(found)
}

fn length(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c| !fits(c)).unwrap_or(text.len())
}

fn number(text: &str, at: &mut usize) -> Result<Word, Mistake> {
    let start = *at;
    *at += length(&text[start..], |c| c.is_ascii_alphanumeric() || c == '_');
    // `1.5`, but `[1].x` ends before the point.
    if text[*at..].starts_with('.') && text[*at + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        *at += 1 + length(&text[*at + 1..], |c| c.is_ascii_alphanumeric());
    }
    let digits = text[start..*at].replace('_', "");
    let bad = |help: &str| {
        let message = format!("'{}' is no number", clip(&text[start..*at]));
        mistake(start..*at, message, help)
    };
    if let Ok(number) = digits.parse() {
        return Ok(Word::Integer(number));
    }
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Word::Number(number)),
        Ok(_) => Err(bad("it is too large")),
        Err(_) => Err(bad("durations count in milliseconds and sizes in bytes")),
    }
}

fn quoted(text: &str, quote: char, at: &mut usize) -> Result<Word, Mistake> {
    let start = *at;
    let mut value = String::new();
    let mut chars = text[start + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        match c {
            c if c == quote => {
                *at = start + 1 + offset + 1;
                return Ok(Word::Text(value));
            }
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(c @ ('\\' | '"' | '\'')) => value.push(c),
                _ => {
                    let from = start + 1 + offset;
                    let message = "a backslash must stand before n, t, \\, \" or '";
                    return Err(mistake(from..from + 1, message, ""));
                }
            },
            c => value.push(c),
        }
    }
    Err(mistake(
        start..text.len(),
        "the text is not closed",
        "end it with its quote",
    ))
}

/// A mistake in a condition.
pub(super) fn mistake(
    at: Range<usize>,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Mistake {
    Mistake {
        at,
        message: message.into(),
        help: help.into(),
    }
}
