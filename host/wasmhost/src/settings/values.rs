//! Durations and sizes as people write them in flags and settings files:
//! `250ms`, `15s`, `1h30m`, `64MiB`. Refuses bare numbers, whose unit is a guess.

use std::fmt;
use std::str::FromStr;

/// A length of time, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Millis(pub(crate) u64);

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bytes(pub(crate) u64);

const TIME_UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
const SIZE_UNITS: &[(&str, u64)] = &[
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// Sums `NUMBER UNIT` pairs; decimals are allowed, overflow is not.
fn sum(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text.trim();
    let mut total = 0u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let end = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (name, tail) = tail.split_at(end);
        let unit = units.iter().find(|(u, _)| name.eq_ignore_ascii_case(u))?.1;
        let value = match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(unit)?,
            Err(_) => {
                let value = number.parse::<f64>().ok()? * unit as f64;
                (value <= u64::MAX as f64 / 2.0).then_some(value as u64)?
            }
        };
        total = total.checked_add(value)?;
        rest = tail.trim_start();
    }
    Some(total)
}

impl FromStr for Millis {
    type Err = String;
    fn from_str(text: &str) -> Result<Millis, String> {
        sum(text, TIME_UNITS).map(Millis).ok_or_else(|| {
            format!("'{text}' is not a duration: write 250ms, 15s, 10m, 1h30m or 2d")
        })
    }
}

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Bytes, String> {
        sum(text, SIZE_UNITS)
            .map(Bytes)
            .ok_or_else(|| format!("'{text}' is not a size: write 500KB, 64MiB or 2GiB"))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&crate::output::human::duration(self.0))
    }
}

macro_rules! from_text {
    ($($name:ident)*) => {$(
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
from_text!(Millis Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, want) in [
            ("250ms", Some(250)),
            ("15s", Some(15_000)),
            ("1.5s", Some(1_500)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("2 d", Some(172_800_000)),
            ("0s", Some(0)),
            ("15", None),
            ("", None),
            ("-3s", None),
            ("3 parsecs", None),
            ("s", None),
            ("1..5s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(text.parse::<Millis>().ok().map(|m| m.0), want, "{text:?}");
        }
    }

    #[test]
    fn sizes() {
        for (text, want) in [
            ("64MiB", Some(64 << 20)),
            ("1.5 GiB", Some(3 << 29)),
            ("500kb", Some(500_000)),
            ("7B", Some(7)),
            ("7", None),
            ("7 XiB", None),
            ("999999999999GiB", None),
        ] {
            assert_eq!(text.parse::<Bytes>().ok().map(|b| b.0), want, "{text:?}");
        }
    }
}
