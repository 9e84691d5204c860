//! `wordcount`: counts the words of a text. As an array over batches of files it
//! is the first half of a classic; `wordcount-top` is the second.

use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use wasmhost::{Bytes, Context, Schema, TaskError};

/// Lines between two looks at the rest of the world.
const LINES_PER_LOOK: usize = 256;

/// The words of one text.
#[derive(Serialize, Schema, PartialEq, Eq, Debug)]
pub struct Counts {
    /// How many words there are, repetitions included.
    words: u64,
    /// How often each occurs.
    counts: BTreeMap<String, u64>,
}

/// Counts the words of a text: runs of letters and digits that begin with a
/// letter, in lower case.
#[wasmhost::task]
pub fn count(ctx: &Context, text: Bytes) -> Result<Counts, TaskError> {
    let decoded = String::from_utf8_lossy(&text);
    if let std::borrow::Cow::Owned(_) = decoded {
        // Not worth failing for: what is no UTF-8 separates words.
        ctx.event_with("not_utf8", text.len());
    }
    let total = decoded.len() as u64;
    let mut counts = HashMap::new();
    let (mut words, mut read) = (0, 0);
    for (n, line) in decoded.split_inclusive('\n').enumerate() {
        if n % LINES_PER_LOOK == 0 {
            ctx.check_cancelled()?;
            ctx.progress(read, total);
        }
        for word in line.split(|c: char| !c.is_alphanumeric()) {
            if word.starts_with(char::is_alphabetic) {
                words += 1;
                add(&mut counts, word);
            }
        }
        read += line.len() as u64;
    }
    ctx.progress(total, total);
    ctx.set("words", words);
    ctx.set("distinct", counts.len());
    Ok(Counts {
        words,
        counts: counts.into_iter().collect(),
    })
}

/// Most words are in lower case and were seen before: those allocate nothing.
fn add(counts: &mut HashMap<String, u64>, word: &str) {
    if let Some(count) = counts.get_mut(word) {
        *count += 1;
    } else {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    fn check(text: &[u8], want: &[(&str, u64)]) {
        let got = count(&Fake::new().context(), Bytes(text.to_vec()));
        let counts = want.iter().map(|(word, n)| (word.to_string(), *n));
        let want = Counts {
            words: want.iter().map(|(_, n)| n).sum(),
            counts: counts.collect(),
        };
        assert_eq!(got, Ok(want));
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        check(b"", &[]);
        check(b" -- \n", &[]);
        check(
            b"To be, or not to BE?\n",
            &[("be", 2), ("not", 1), ("or", 1), ("to", 2)],
        );
        check(
            "fn ärger_2x()\u{2014}Ärger x2".as_bytes(),
            &[("fn", 1), ("x2", 1), ("ärger", 2)],
        );
        check(b"one\xfftwo", &[("one", 1), ("two", 1)]);
    }

    #[test]
    fn a_real_text_reports_how_far_it_is() {
        let text = include_bytes!("../../../LICENSE-APACHE").repeat(5);
        let (fake, total) = (Fake::new(), text.len() as u64);
        let counts = count(&fake.context(), Bytes(text)).expect("text counts");
        assert_eq!(counts.counts.get("license").map(|n| n % 5), Some(0));
        assert!(counts.counts["the"] > counts.counts["license"]);
        assert_eq!(fake.progress().first(), Some(&(0, Some(total), None)));
        assert_eq!(fake.progress().last(), Some(&(total, Some(total), None)));
        assert_eq!(fake.value("words"), Some(counts.words.into()));
    }

    #[test]
    fn stops_when_asked_to() {
        let fake = Fake::new().cancel_after(1);
        let lines = Bytes(b"word\n".repeat(LINES_PER_LOOK + 1));
        assert!(count(&fake.context(), lines).is_err());
    }
}
