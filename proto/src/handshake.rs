//! The first bytes on a control stream. Frozen: they never change, so that any
//! two versions can at least tell each other why they do not fit.
//!
//! A worker opens the stream and sends 12 bytes: the magic `wasmhost`, then the
//! lowest and highest protocol version that it speaks, each as two big-endian
//! bytes. The primary answers with 10 bytes: the magic and the version that it
//! chose, or version 0 when there is none in common, and then closes.

/// What both sides send first.
pub const MAGIC: [u8; 8] = *b"wasmhost";
/// The oldest protocol that this build speaks.
pub const MIN_VERSION: u16 = 1;
/// The newest protocol that this build speaks.
pub const MAX_VERSION: u16 = 1;
/// Bytes of a [`hello`].
pub const HELLO_LEN: usize = 12;
/// Bytes of an [`answer`].
pub const ANSWER_LEN: usize = 10;

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeError {
    /// The other side is no wasmhost.
    NotWasmhost,
    /// No version in common; what the other side speaks, if it said so.
    Version {
        /// Lowest version of the other side; 0 when unknown.
        min: u16,
        /// Highest version of the other side; 0 when unknown.
        max: u16,
    },
}

impl std::fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HandshakeError::NotWasmhost => {
                f.write_str("the other side does not speak wasmhost's protocol")
            }
            HandshakeError::Version { min: 0, .. } => write!(
                f,
                "the other side speaks none of the protocol versions {MIN_VERSION} to {MAX_VERSION}; update the older of the two"
            ),
            HandshakeError::Version { min, max } => write!(
                f,
                "the other side speaks protocol versions {min} to {max}, this one {MIN_VERSION} to {MAX_VERSION}; update the older of the two"
            ),
        }
    }
}
impl std::error::Error for HandshakeError {}

/// What a worker sends.
pub fn hello() -> [u8; HELLO_LEN] {
    let mut out = [0; HELLO_LEN];
    out[..8].copy_from_slice(&MAGIC);
    out[8..10].copy_from_slice(&MIN_VERSION.to_be_bytes());
    out[10..].copy_from_slice(&MAX_VERSION.to_be_bytes());
    out
}

/// What the primary makes of a hello: the highest common version.
pub fn choose(hello: &[u8; HELLO_LEN]) -> Result<u16, HandshakeError> {
    if hello[..8] != MAGIC {
        return Err(HandshakeError::NotWasmhost);
    }
    let min = u16::from_be_bytes([hello[8], hello[9]]);
    let max = u16::from_be_bytes([hello[10], hello[11]]);
    if min > max || max < MIN_VERSION || min > MAX_VERSION {
        return Err(HandshakeError::Version { min, max });
    }
    Ok(max.min(MAX_VERSION))
}

/// What the primary sends; `None` refuses.
pub fn answer(version: Option<u16>) -> [u8; ANSWER_LEN] {
    let mut out = [0; ANSWER_LEN];
    out[..8].copy_from_slice(&MAGIC);
    out[8..].copy_from_slice(&version.unwrap_or(0).to_be_bytes());
    out
}

/// What a worker makes of the answer.
pub fn accepted(answer: &[u8; ANSWER_LEN]) -> Result<u16, HandshakeError> {
    if answer[..8] != MAGIC {
        return Err(HandshakeError::NotWasmhost);
    }
    match u16::from_be_bytes([answer[8], answer[9]]) {
        version @ MIN_VERSION..=MAX_VERSION => Ok(version),
        _ => Err(HandshakeError::Version { min: 0, max: 0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_frozen() {
        assert_eq!(hello(), *b"wasmhost\0\x01\0\x01");
        assert_eq!(answer(Some(1)), *b"wasmhost\0\x01");
        assert_eq!(answer(None), *b"wasmhost\0\0");
    }

    #[test]
    fn versions_meet_or_say_why() {
        assert_eq!(choose(&hello()), Ok(1));
        assert_eq!(
            choose(b"wasmhost\0\x02\0\x09"),
            Err(HandshakeError::Version { min: 2, max: 9 })
        );
        assert_eq!(
            choose(b"wasmhost\0\x09\0\x01"),
            Err(HandshakeError::Version { min: 9, max: 1 })
        );
        assert_eq!(choose(b"GET / HTTP/1"), Err(HandshakeError::NotWasmhost));
        assert_eq!(
            accepted(&answer(None)),
            Err(HandshakeError::Version { min: 0, max: 0 })
        );
        assert_eq!(accepted(&answer(Some(1))), Ok(1));
    }
}
