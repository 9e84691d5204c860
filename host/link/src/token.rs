//! Join tokens: what an operator hands to a new worker. Owns their text form;
//! does not know which are valid.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;
use wasmhost_proto::{Digest, TokenId};

const PREFIX: &str = "whj1";
/// Bits of a [`TokenId`].
const ID_MASK: u64 = (1 << 50) - 1;

/// The right to join one cluster once: `whj1_<authority sha256>_<id>_<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The SHA-256 of the authority's certificate: the worker sends the secret
    /// to nobody else.
    pub fingerprint: Digest,
    /// Which token.
    pub id: TokenId,
    /// What proves it.
    pub secret: [u8; 32],
}

/// A text that is not a join token. Does not repeat the text: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a join token ({0}); expected whj1_… as `wasmhost token create` printed it, in one piece"
)]
pub struct TokenError(&'static str);

impl JoinToken {
    /// A token with random id and secret, or an error when the system has no randomness.
    pub fn generate(fingerprint: Digest) -> std::io::Result<JoinToken> {
        let (mut id, mut secret) = ([0; 8], [0; 32]);
        for bytes in [&mut id[..], &mut secret[..]] {
            getrandom::fill(bytes).map_err(|e| std::io::Error::other(e.to_string()))?;
        }
        let id = TokenId(u64::from_be_bytes(id) & ID_MASK);
        Ok(JoinToken {
            fingerprint,
            id,
            secret,
        })
    }
}

impl fmt::Display for JoinToken {
    /// The whole token with its secret, for the one who asked for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = URL_SAFE_NO_PAD.encode(self.secret);
        write!(
            f,
            "{PREFIX}_{}_{}_{secret}",
            self.fingerprint.hex(),
            self.id
        )
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinToken({})", self.id)
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<JoinToken, TokenError> {
        let mut parts = text.trim().splitn(4, '_');
        let mut next = || parts.next().ok_or(TokenError("it is cut off"));
        if next()? != PREFIX {
            return Err(TokenError("it does not begin with whj1_"));
        }
        let fingerprint = next()?
            .parse()
            .map_err(|_| TokenError("its authority is not 64 hexadecimal digits"))?;
        let id = next()?
            .parse()
            .map_err(|_| TokenError("its id is not 10 characters"))?;
        let secret = URL_SAFE_NO_PAD
            .decode(next()?)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let secret = secret.ok_or(TokenError("its secret is not 32 bytes of base64url"))?;
        Ok(JoinToken {
            fingerprint,
            id,
            secret,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_say_what_is_wrong() {
        let token = JoinToken {
            fingerprint: Digest([0xfe; 32]),
            id: TokenId(7),
            secret: [0xff; 32],
        };
        let text = token.to_string();
        assert!(
            text.contains("____"),
            "the secret may hold the separator: {text}"
        );
        assert_eq!(text.parse(), Ok(token.clone()));
        assert_eq!(format!(" {text}\n").parse(), Ok(token.clone()));
        assert!(!format!("{token:?}").contains("____"));
        for (text, want) in [
            ("", "begin with whj1_"),
            ("wht_x", "begin with whj1_"),
            ("whj1_00", "authority"),
            (&text[..80], "cut off"),
            (&text[..100], "secret is not 32"),
        ] {
            let got = text.parse::<JoinToken>().unwrap_err().to_string();
            assert!(got.contains(want), "{text}: {got}");
        }
        assert_ne!(
            JoinToken::generate(Digest([0; 32])).unwrap(),
            JoinToken::generate(Digest([0; 32])).unwrap()
        );
    }
}
