//! Durations and sizes as people write them in flags and settings files:
//! `250ms`, `15s`, `1h30m`, `64MiB`. Read as in job definitions: bare numbers
//! are refused, since their unit is a guess.

use std::fmt;
use std::str::FromStr;

/// A length of time, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Millis(pub(crate) u64);

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bytes(pub(crate) u64);

impl FromStr for Millis {
    type Err = String;
    fn from_str(text: &str) -> Result<Millis, String> {
        wasmhost_jobc::duration_ms(text).map(Millis).ok_or_else(|| {
            format!("'{text}' is not a duration: write 250ms, 15s, 10m, 1h30m or 2d")
        })
    }
}

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Bytes, String> {
        wasmhost_jobc::size(text)
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
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("2d", Some(172_800_000)),
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
            ("2 GiB", Some(2 << 30)),
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
