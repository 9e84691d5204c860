//! Names of things: jobs, tasks, workers, tokens, contents, leases.
//!
//! Owns their text and wire forms. Makes none of them: randomness and time are
//! the callers'.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`, so that an id can
/// be read aloud and typed. <https://www.crockford.com/base32.html>
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters in a short id: 50 bits.
pub const SHORT_ID_LEN: usize = 10;

/// 2026-01-01T00:00:00Z in seconds: ids count from here.
const EPOCH_SECONDS: u64 = 1_767_225_600;

fn write_short(value: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; SHORT_ID_LEN];
    for (i, slot) in text.iter_mut().rev().enumerate() {
        *slot = ALPHABET[((value >> (5 * i)) & 31) as usize];
    }
    f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn parse_short(text: &str) -> Result<u64, IdError> {
    if text.len() != SHORT_ID_LEN {
        return Err(IdError {
            text: clip(text),
            want: "10 characters of 0-9 and a-z",
        });
    }
    let mut value = 0u64;
    for byte in text.bytes() {
        let digit = ALPHABET
            .iter()
            .position(|c| *c == byte.to_ascii_lowercase())
            .ok_or_else(|| IdError {
                text: clip(text),
                want: "10 characters of 0-9 and a-z without i, l, o, u",
            })?;
        value = value << 5 | digit as u64;
    }
    Ok(value)
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

/// An id that could not be read; says what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdError {
    /// The text, clipped.
    pub text: String,
    /// What would have been accepted.
    pub want: &'static str,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not an id: expected {}", self.text, self.want)
    }
}

impl std::error::Error for IdError {}

macro_rules! short_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_short(self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_short(text).map($name)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { s.serialize_u64(self.0) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    let text = String::deserialize(d)?;
                    text.parse().map_err(de::Error::custom)
                } else {
                    let value = u64::deserialize(d)?;
                    if value >> (5 * SHORT_ID_LEN) != 0 {
                        return Err(de::Error::custom("id over 50 bits"));
                    }
                    Ok($name(value))
                }
            }
        }
    };
}

short_id! {
    /// A job: 30 bits of seconds since 2026, then 20 bits that tell jobs of one
    /// second apart. Text: ten characters that sort by time, such as
    /// `0jx5k2m4t9`; users may give any unique prefix.
    JobId
}
short_id! {
    /// A worker: the first 50 bits of the SHA-256 of its public key.
    WorkerId
}
short_id! {
    /// A join token or client token, without its secret.
    TokenId
}

impl JobId {
    /// The smallest id of the second that holds `wall_ms` (milliseconds since
    /// 1970). The maker adds up to 20 bits and keeps its ids increasing.
    pub fn floor_at(wall_ms: u64) -> JobId {
        let seconds = (wall_ms / 1000).saturating_sub(EPOCH_SECONDS) & ((1 << 30) - 1);
        JobId(seconds << 20)
    }
}

/// Which node of a job's graph, in the definition's order. The first task of a
/// definition is node 0.
pub type NodeIndex = u16;

/// One unit of a job: one index of one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct TaskId {
    /// The job.
    pub job: JobId,
    /// The node of the job's graph.
    pub node: NodeIndex,
    /// The index within the node's array; 0 for a single task.
    pub index: u32,
}

impl fmt::Display for TaskId {
    /// `JOB.NODE.INDEX` with numbers; also the guest's idempotency key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.job, self.node, self.index)
    }
}

/// The right to run one attempt of a task, and the fence against every other.
///
/// `term` is that of the primary which handed it out, `attempt` counts the
/// task's attempts from 1. An outcome is recorded only under the lease that is
/// current for its task.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    serde_tuple::Serialize_tuple,
    serde_tuple::Deserialize_tuple,
)]
pub struct Lease {
    /// The primary's term.
    pub term: u64,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// The SHA-256 of some content, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The text prefix of every digest.
    pub const PREFIX: &'static str = "sha256:";

    /// 64 lower-case hexadecimal digits, without the prefix.
    pub fn hex(&self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", Self::PREFIX, self.hex()))
    }
}
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}…", Self::PREFIX, &self.hex()[..12])
    }
}
impl FromStr for Digest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = || IdError {
            text: clip(text),
            want: "'sha256:' and 64 hexadecimal digits",
        };
        let hex = text.strip_prefix(Self::PREFIX).unwrap_or(text).as_bytes();
        if hex.len() != 64 {
            return Err(bad());
        }
        let mut bytes = [0u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
            *byte = digit(pair[0]).ok_or_else(bad)? << 4 | digit(pair[1]).ok_or_else(bad)?;
        }
        Ok(Digest(bytes))
    }
}
impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.collect_str(self)
        } else {
            s.serialize_bytes(&self.0)
        }
    }
}
impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(de::Error::custom)
        } else {
            let bytes: serde_bytes::ByteArray<32> = Deserialize::deserialize(d)?;
            Ok(Digest(bytes.into_array()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_read_back_and_sort_by_time() {
        let early = JobId::floor_at(1_767_225_600_000);
        let late = JobId::floor_at(1_795_176_000_000);
        assert_eq!(early.to_string(), "0000000000");
        assert!(early.to_string() < late.to_string());
        for id in [JobId(0), JobId((1 << 50) - 1), late] {
            assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
        }
        assert!("0000".parse::<JobId>().is_err());
        assert!("iiiiiiiiii".parse::<JobId>().is_err());
    }

    #[test]
    fn digests_read_back() {
        let digest = Digest([0xab; 32]);
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        assert!("sha256:zz".parse::<Digest>().is_err());
    }
}
