//! Who may ask: client tokens `wht_<id>_<secret>`, of which the store knows
//! only a SHA-256. Join tokens open nothing here.

use super::problem::Problem;
use super::state::App;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use subtle::ConstantTimeEq;
use wasmhost_core::record::TokenRecord;
use wasmhost_proto::api::TokenKind;
use wasmhost_proto::{Timestamp, TokenId};

/// The text prefix of client tokens.
const PREFIX: &str = "wht_";
/// Bytes of a secret: as many as its hash.
const SECRET_LEN: usize = 32;

/// Why a request was refused; for the log. Clients get one answer for all but
/// expiry, so that they learn nothing of which ids exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denied {
    Missing,
    Malformed,
    Unknown,
    Expired,
}

/// Lets a request pass, or refuses it and logs from where it came.
pub(crate) fn require(
    app: &App,
    headers: &HeaderMap,
    remote: Option<SocketAddr>,
) -> Result<TokenId, Problem> {
    let denied = match presented(headers) {
        Ok((id, secret)) => {
            let found = app.peek(|store| store.token(id))?;
            match check(found.as_ref(), &secret, now()) {
                Ok(()) => return Ok(id),
                Err(denied) => denied,
            }
        }
        Err(denied) => denied,
    };
    let remote = remote.map(|a| a.to_string()).unwrap_or_default();
    tracing::warn!(%remote, reason = ?denied, "refused a request to the API");
    Err(problem(denied))
}

fn problem(denied: Denied) -> Problem {
    let (code, title) = match denied {
        Denied::Missing => ("no_token", "this request needs a token"),
        Denied::Expired => ("token_expired", "the token has expired"),
        Denied::Malformed | Denied::Unknown => ("bad_token", "the token is not valid here"),
    };
    Problem::new(StatusCode::UNAUTHORIZED, code, title).help(
        "Make one with `wasmhost token create --client` and send it as 'authorization: Bearer wht_…'; \
         the command line reads WASMHOST_TOKEN or WASMHOST_TOKEN_FILE.",
    )
}

fn presented(headers: &HeaderMap) -> Result<(TokenId, [u8; SECRET_LEN]), Denied> {
    let value = headers.get(header::AUTHORIZATION).ok_or(Denied::Missing)?;
    let text = value.to_str().map_err(|_| Denied::Malformed)?;
    let (scheme, token) = text.split_once(' ').ok_or(Denied::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denied::Malformed);
    }
    parse(token.trim()).ok_or(Denied::Malformed)
}

fn parse(token: &str) -> Option<(TokenId, [u8; SECRET_LEN])> {
    let (id, secret) = token.strip_prefix(PREFIX)?.split_once('_')?;
    let secret = URL_SAFE_NO_PAD.decode(secret).ok()?;
    Some((id.parse().ok()?, secret.try_into().ok()?))
}

fn check(found: Option<&TokenRecord>, secret: &[u8], now: Timestamp) -> Result<(), Denied> {
    // An unknown id costs the same hash and comparison as a known one.
    let stored = found.map_or([0; 32], |t| t.secret_sha256);
    let same: bool = Sha256::digest(secret).as_slice().ct_eq(&stored).into();
    match found {
        Some(token) if same && token.kind == TokenKind::Client => match token.expires {
            Some(end) if end <= now => Err(Denied::Expired),
            _ => Ok(()),
        },
        _ => Err(Denied::Unknown),
    }
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |d| d.as_millis() as u64))
}

/// A new client token: its text, and the record to store. `ttl_ms` none: for ever.
pub(super) fn new_client_token(
    name: &str,
    ttl_ms: Option<u64>,
) -> Result<(String, TokenRecord), getrandom::Error> {
    let (id, secret) = draw()?;
    let text = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret));
    Ok((text, record(id, &secret, TokenKind::Client, name, ttl_ms)))
}

/// A random id and secret.
pub(crate) fn draw() -> Result<(TokenId, [u8; SECRET_LEN]), getrandom::Error> {
    let mut secret = [0; SECRET_LEN];
    getrandom::fill(&mut secret)?;
    // Short ids have 50 bits.
    Ok((TokenId(getrandom::u64()? >> 14), secret))
}

/// The record of a token.
pub(crate) fn record(
    id: TokenId,
    secret: &[u8],
    kind: TokenKind,
    name: &str,
    ttl_ms: Option<u64>,
) -> TokenRecord {
    let created = now();
    TokenRecord {
        id,
        kind,
        name: name.to_owned(),
        secret_sha256: Sha256::digest(secret).into(),
        created,
        expires: ttl_ms.map(|ttl| Timestamp(created.0.saturating_add(ttl))),
        used: None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_only_as_itself() {
        let (text, record) = new_client_token("laptop", Some(1_000)).unwrap();
        let (id, secret) = parse(&text).unwrap();
        assert_eq!(id, record.id);
        let before = record.created;
        let after = Timestamp(before.0 + 1_000);
        assert_eq!(check(Some(&record), &secret, before), Ok(()));
        assert_eq!(check(Some(&record), &secret, after), Err(Denied::Expired));
        assert_eq!(check(Some(&record), &[7; 32], before), Err(Denied::Unknown));
        assert_eq!(check(None, &secret, before), Err(Denied::Unknown));
        let join = TokenRecord {
            kind: TokenKind::Join,
            ..record
        };
        assert_eq!(check(Some(&join), &secret, before), Err(Denied::Unknown));
    }

    #[test]
    fn malformed_headers() {
        let (text, _) = new_client_token("", None).unwrap();
        for (header, want) in [
            (None, Denied::Missing),
            (Some(String::new()), Denied::Malformed),
            (Some(text.clone()), Denied::Malformed),
            (Some(format!("Basic {text}")), Denied::Malformed),
            (Some(format!("Bearer {}", &text[..20])), Denied::Malformed),
            (Some("Bearer wht_short_secret".into()), Denied::Malformed),
            (Some("Bearer whj1_a_b".into()), Denied::Malformed),
            (Some(format!("Bearer {text}A")), Denied::Malformed),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = &header {
                headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(presented(&headers), Err(want), "{header:?}");
        }
    }
}
