//! Texts with a meaning: durations, sizes, names.

use serde_json::Value as Json;
use std::cmp::Ordering;
use wasmhost_proto::limits::MAX_NAME;

const DURATION_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// What [`duration_ms`] reads, for messages.
pub(crate) const DURATION_HELP: &str =
    "write numbers with units, such as \"500ms\", \"30s\", \"10m\", \"1h30m\", \"2d\"";
/// What [`size`] reads, for messages.
pub(crate) const SIZE_HELP: &str = "write a number with a unit, such as \"64KiB\", \"256MiB\", \"1GiB\", or kB, MB, GB for powers of 1000";

/// Milliseconds of a duration such as `500ms`, `30s`, `1h30m`: whole numbers
/// with units from large to small. None when it is not one or does not fit.
pub fn duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0u64;
    let mut last_unit = u64::MAX;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let (_, unit) = DURATION_UNITS
            .into_iter()
            .find(|(name, _)| *name == &rest[..end])?;
        if unit >= last_unit {
            return None;
        }
        last_unit = unit;
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = rest[end..].trim_start();
    }
    Some(total)
}

/// Bytes of a size such as `64MiB` or `10 MB`. Units are read in any case. None
/// when it is not one or does not fit.
pub fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim_start();
    let (_, factor) = SIZE_UNITS
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(factor)
}

/// A size for people, exact: `256MiB`, `1000B`.
pub(crate) fn show_size(bytes: u64) -> String {
    let (name, factor) = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .unwrap_or(("B", 1));
    format!("{}{name}", bytes / factor)
}

/// A duration for people, exact: `24h`, `1500ms`.
pub(crate) fn show_ms(ms: u64) -> String {
    let (name, factor) = DURATION_UNITS
        .into_iter()
        .rev()
        .find(|(_, factor)| ms >= *factor && ms.is_multiple_of(*factor))
        .unwrap_or(("ms", 1));
    format!("{}{name}", ms / factor)
}

/// The order of two numbers or two texts, such as dates; none of anything else.
pub(crate) fn order(left: &Json, right: &Json) -> Option<Ordering> {
    match (left, right) {
        (Json::String(a), Json::String(b)) => Some(a.cmp(b)),
        _ => match (left.as_i64(), right.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
    }
}

/// Whether `text` can name a job: letters, digits, `.`, `_`, `-`, a letter or
/// digit first, within [`MAX_NAME`].
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Whether `text` can be a module's version: as a name, and `+`.
pub(crate) fn is_version(text: &str) -> bool {
    is_name(&text.replace('+', "-"))
}

/// Whether `text` can name a task: as a job, but a letter first, since tasks
/// may also be given by number.
pub(crate) fn is_task_name(text: &str) -> bool {
    is_name(text) && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, want: Option<u64>| assert_eq!(duration_ms(text), want, "{text:?}");
        check("500ms", Some(500));
        check("30s", Some(30_000));
        check("1h30m", Some(5_400_000));
        check("1h 30m", Some(5_400_000));
        check("2d", Some(172_800_000));
        check("0s", Some(0));
        for bad in [
            "",
            " ",
            "30",
            "s",
            "1.5h",
            "30m1h",
            "1h1h",
            "10 parsecs",
            "99999999999999999999d",
            "-1s",
            "1é",
        ] {
            check(bad, None);
        }
        check(&format!("{}d", u64::MAX), None);
    }

    #[test]
    fn sizes() {
        let check = |text: &str, want: Option<u64>| assert_eq!(size(text), want, "{text:?}");
        check("64KiB", Some(65_536));
        check("64 kib", Some(65_536));
        check("1GB", Some(1_000_000_000));
        check("7B", Some(7));
        for bad in [
            "",
            "64",
            "MiB",
            "1.5GiB",
            "-1B",
            "1TiB",
            "99999999999GiB",
            "1é",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn shown() {
        for ms in [0, 1, 1_500, 60_000, 86_400_000, 90_000] {
            assert_eq!(duration_ms(&show_ms(ms)), Some(ms));
        }
        for bytes in [0, 1, 1_000, 65_536, 3 << 30] {
            assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
    }

    #[test]
    fn names() {
        assert!(is_task_name("count") && is_task_name("a.b_c-1") && is_name("2nd"));
        for bad in ["", "-a", ".a", "a b", "é", &"a".repeat(MAX_NAME + 1)] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(!is_task_name("2nd"));
    }
}
