//! Numbers and foreign text for people. Text that came from a guest or a client
//! never reaches a terminal with its control characters.

use wasmhost_proto::Timestamp;

/// A length of time: `250 ms`, `3.2s`, `3m 12s`, `2h 05m`, `3d 4h`.
pub(crate) fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{}s", s, ms % 1000 / 100),
        60_000..3_600_000 => format!("{}m {:02}s", s / 60, s % 60),
        3_600_000..86_400_000 => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// How long ago: one unit only.
pub(crate) fn age(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3_600 => format!("{}m", s / 60),
        3_600..86_400 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// An amount of content, decimal: `512 B`, `1.4 MB`.
pub(crate) fn size(bytes: u64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB"])
}

/// An amount of memory, binary: `256 MiB`.
pub(crate) fn memory(bytes: u64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

fn scaled(bytes: u64, step: f64, units: &[&str]) -> String {
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= step - 0.05 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    if unit == 0 || (value.fract() < 0.05 && value >= 10.0) {
        format!("{value:.0} {}", units[unit])
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

/// A number with its noun, `1 task` or `2,000 tasks`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(n), if n == 1 { "" } else { "s" })
}

/// A number with separators between thousands.
pub(crate) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Some of one line: control characters shown, not sent; clipped to `max` characters.
pub(crate) fn line(text: &str, max: usize) -> String {
    let flat = text.trim_end().replace(['\n', '\t'], " ");
    let safe = clean(&flat);
    if safe.chars().count() <= max {
        return safe;
    }
    let mut short: String = safe.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Text as it is but for what a terminal would act on: escapes and other
/// control characters, and the marks that turn the direction of writing.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => {
                out.extend(c.escape_unicode());
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// The wall clock of this machine.
pub(crate) fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// An instant in the local time zone, to the second.
pub(crate) fn instant(at: Timestamp) -> String {
    let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(t) => t
            .to_zoned(jiff::tz::TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S %Z")
            .to_string(),
        Err(_) => at.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (ms, want) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (3_249, "3.2s"),
            (59_999, "59.9s"),
            (192_000, "3m 12s"),
            (7_500_000, "2h 05m"),
            (273_600_000, "3d 4h"),
        ] {
            assert_eq!(duration(ms), want);
        }
    }

    #[test]
    fn sizes() {
        for (bytes, want) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_400_000, "1.4 MB"),
            (999_999, "1.0 MB"),
            (20_000_000, "20 MB"),
            (u64::MAX, "18446744.1 TB"),
        ] {
            assert_eq!(size(bytes), want);
        }
        assert_eq!(memory(256 << 20), "256 MiB");
        assert_eq!(
            (number(1), number(1_000), number(1_234_567)),
            ("1".into(), "1,000".into(), "1,234,567".into())
        );
        assert_eq!(
            (count(1, "task"), count(0, "task")),
            ("1 task".into(), "0 tasks".into())
        );
    }

    #[test]
    fn terminals_are_not_driven_by_guests() {
        assert_eq!(clean("a\u{1b}[31mb\r\n"), "a\\u{1b}[31mb\\r\n");
        assert_eq!(clean("\u{202e}evil\u{7}"), "\\u{202e}evil\\u{7}");
        assert_eq!(clean("plain é 漢\t."), "plain é 漢\t.");
        assert_eq!(line("two\nlines here", 7), "two li…");
    }
}
