//! The most frequent words, as the job gives them and as a plain count does.

use anyhow::{Context, Result};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

/// The words of all files.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Top {
    /// All words, repetitions included.
    pub(crate) words: u64,
    /// How many different ones.
    pub(crate) distinct: u64,
    /// The most frequent ones and how often they occur.
    pub(crate) top: Vec<(String, u64)>,
}

impl Top {
    /// From the job's result.
    pub(crate) fn read(json: &[u8]) -> Result<Top> {
        let json: Value = serde_json::from_slice(json).context("the job's result is not JSON")?;
        let top = json["top"].as_array().into_iter().flatten();
        let word = |entry: &Value| Some((entry["word"].as_str()?.into(), entry["count"].as_u64()?));
        let read = || {
            Some(Top {
                words: json["words"].as_u64()?,
                distinct: json["distinct"].as_u64()?,
                top: top.map(word).collect::<Option<_>>()?,
            })
        };
        read().with_context(|| format!("the job's result is something else: {json}"))
    }

    /// By counting, the way one would without a cluster.
    pub(crate) fn count(files: &[PathBuf], top: usize) -> Result<Top> {
        let mut counts = HashMap::<String, u64>::new();
        for file in files {
            let bytes =
                fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            for word in String::from_utf8_lossy(&bytes).split(|c: char| !c.is_alphanumeric()) {
                if word.starts_with(char::is_alphabetic) {
                    *counts.entry(word.to_lowercase()).or_default() += 1;
                }
            }
        }
        let (words, distinct) = (counts.values().sum(), counts.len() as u64);
        let mut sorted: Vec<(String, u64)> = counts.into_iter().collect();
        sorted.sort_by_key(|(word, count)| (Reverse(*count), word.clone()));
        sorted.truncate(top);
        Ok(Top {
            words,
            distinct,
            top: sorted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Top;

    fn check(json: &str, want: Option<usize>) {
        let got = Top::read(json.as_bytes()).ok().map(|top| top.top.len());
        assert_eq!(got, want, "{json}");
    }

    #[test]
    fn results_are_read_or_refused() {
        check(
            r#"{"words":3,"distinct":2,"top":[{"word":"a","count":2}]}"#,
            Some(1),
        );
        check(r#"{"words":3,"distinct":2,"top":[{"word":"a"}]}"#, None);
        check(r#"{"words":3}"#, None);
        check("", None);
    }
}
