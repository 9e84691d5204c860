//! Secrets of the operator's, on their way to what may use them. They are named in
//! definitions, plans and views; their values are in none of these.

use crate::limits::{MAX_NODE_SECRETS, MAX_SECRET, MIN_SECRET};
use crate::reach::Reach;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What begins the text that stands for a secret; its name and `}` follow.
pub const HANDLE: &str = "${secrets.";

/// What stands where a secret was struck out: no longer than the shortest.
const STRUCK: &str = "****";

/// A secret with its value.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// What is secret.
    pub value: String,
    /// Requests that it may go with, in a header.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Reach>,
    /// Whether tasks may have the value itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reveal: bool,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {}", self.name)
    }
}

impl Secret {
    /// What is wrong with it; none when nothing is.
    pub fn fault(&self) -> Option<String> {
        let len = self.value.len();
        let printable = |c: char| !c.is_control();
        if !(MIN_SECRET..=MAX_SECRET).contains(&len) {
            Some(format!(
                "a secret has {MIN_SECRET} to {MAX_SECRET} bytes, and this one has {len}"
            ))
        } else if !self.value.chars().all(printable) {
            Some("a secret is one line of text, to be part of a header".into())
        } else if self.to.len() > MAX_NODE_SECRETS {
            Some(format!(
                "a secret goes with {MAX_NODE_SECRETS} kinds of requests at most"
            ))
        } else if self.to.is_empty() && !self.reveal {
            Some("a secret that goes nowhere and is revealed to nobody is of no use".into())
        } else {
            None
        }
    }

    /// The text that stands for it.
    pub fn handle(&self) -> String {
        format!("{HANDLE}{}}}", self.name)
    }
}

/// Strikes secrets out of a text, which does not grow.
pub fn strike(text: &mut String, secrets: &[Secret]) {
    for secret in secrets {
        if text.contains(&secret.value) {
            *text = text.replace(&secret.value, STRUCK);
        }
    }
}

/// Puts secrets in the place of their handles. The first name that is none of theirs is an
/// error; so is what `may` refuses.
pub fn place<E>(
    text: &str,
    secrets: &[Secret],
    unknown: impl FnOnce(&str) -> E,
    may: impl Fn(&Secret) -> Result<(), E>,
) -> Result<String, E> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(HANDLE) {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            out.push_str(HANDLE);
            rest = after;
            continue;
        };
        let Some(secret) = secrets.iter().find(|secret| secret.name == name) else {
            return Err(unknown(name));
        };
        may(secret)?;
        out.push_str(&secret.value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn secret(name: &str, value: &str) -> Secret {
        Secret {
            name: name.into(),
            value: value.into(),
            to: Vec::new(),
            reveal: true,
        }
    }

    #[test]
    fn handles_are_replaced() {
        let secrets = [secret("a", "one ${secrets.b}"), secret("b", "two")];
        let check = |text: &str, want: Result<&str, &str>| {
            let may = |secret: &Secret| match secret.name.as_str() {
                "b" if text.starts_with('!') => Err("refused".to_owned()),
                _ => Ok(()),
            };
            let placed = place(text, &secrets, str::to_owned, may);
            assert_eq!(placed.as_deref().map_err(String::as_str), want, "{text}");
        };
        check("plain", Ok("plain"));
        check("Bearer ${secrets.b}", Ok("Bearer two"));
        check("${secrets.b}${secrets.b}.", Ok("twotwo."));
        // What a secret holds is no handle.
        check("<${secrets.a}>", Ok("<one ${secrets.b}>"));
        check("${secrets.c}", Err("c"));
        check("${secrets.}", Err(""));
        check("${secrets.b", Ok("${secrets.b"));
        check("${item} ${secret.b}", Ok("${item} ${secret.b}"));
        check("!${secrets.b}", Err("refused"));
    }

    #[test]
    fn secrets_are_struck_out() {
        let secrets = [secret("a", "hunter2"), secret("b", "hunter2x")];
        let mut text = "it is hunter2, hunter2x and hunter".to_owned();
        strike(&mut text, &secrets);
        assert_eq!(text, "it is ****, ****x and hunter");
        assert_eq!(format!("{secrets:?}"), "[secret a, secret b]");
    }

    #[test]
    fn faults() {
        let check = |value: &str, want: Option<&str>| {
            let fault = secret("a", value).fault();
            assert_eq!(fault.is_some(), want.is_some(), "{value}: {fault:?}");
            assert!(fault.unwrap_or_default().contains(want.unwrap_or_default()));
        };
        check("abcd", None);
        check("abc", Some("4 to"));
        check(&"x".repeat(MAX_SECRET + 1), Some("8192"));
        check("line\nline", Some("one line"));
        let nowhere = Secret {
            reveal: false,
            ..secret("a", "abcd")
        };
        assert!(nowhere.fault().is_some());
    }
}
