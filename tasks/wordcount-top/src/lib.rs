//! `wordcount-top`: adds up what an array of `wordcount` counted and keeps the
//! most frequent words. Holds one result at a time beside the sum.

use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::HashMap;
use wasmhost::{Context, Results, Schema, TaskError};

/// How many words are kept.
const TOP: usize = 100;

/// The words of one text, as `wordcount` gives them.
#[derive(Serialize, Deserialize, Schema)]
pub struct Counts {
    /// How many words there are, repetitions included.
    words: u64,
    /// How often each occurs.
    counts: HashMap<String, u64>,
}

/// The words of all texts.
#[derive(Serialize, Schema, PartialEq, Eq, Debug)]
pub struct Top {
    /// How many words there are, repetitions included.
    words: u64,
    /// How many different ones.
    distinct: u64,
    /// The hundred most frequent ones; of equally frequent ones, the first in the alphabet.
    top: Vec<Word>,
}

/// A word and how often it occurs.
#[derive(Serialize, Schema, PartialEq, Eq, Debug)]
pub struct Word {
    word: String,
    count: u64,
}

/// Adds up the words that an array counted, and gives the most frequent ones.
#[wasmhost::task]
pub fn top(ctx: &Context, parts: Results<Counts>) -> Result<Top, TaskError> {
    let mut sum = HashMap::<String, u64>::new();
    let (mut words, mut done) = (0, 0);
    for part in parts.iter() {
        let (_, part) = part?;
        ctx.check_cancelled()?;
        words += part.words;
        for (word, count) in part.counts {
            *sum.entry(word).or_default() += count;
        }
        done += 1;
        ctx.progress(done, parts.len_hint());
    }
    ctx.set("distinct", sum.len());
    let distinct = sum.len() as u64;
    let mut top: Vec<(String, u64)> = sum.into_iter().collect();
    top.sort_unstable_by(|a, b| (Reverse(a.1), &a.0).cmp(&(Reverse(b.1), &b.0)));
    top.truncate(TOP);
    let top = top.into_iter().map(|(word, count)| Word { word, count });
    Ok(Top {
        words,
        distinct,
        top: top.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    fn check(parts: &[&[(&str, u64)]], want: &[(&str, u64)]) {
        let parts = parts.iter().enumerate().map(|(at, part)| {
            let counts = part.iter().map(|(word, n)| (word.to_string(), *n));
            let words = part.iter().map(|(_, n)| n).sum();
            let counts = counts.collect();
            (at as u32, Counts { words, counts })
        });
        let parts = Results::gather(parts).expect("counts are JSON");
        let top = want.iter().map(|(word, count)| Word {
            word: word.to_string(),
            count: *count,
        });
        let want = Top {
            words: want.iter().map(|(_, n)| n).sum(),
            distinct: want.len() as u64,
            top: top.collect(),
        };
        assert_eq!(top_of(parts), Ok(want));
    }

    fn top_of(parts: Results<Counts>) -> Result<Top, TaskError> {
        super::top(&Fake::new().context(), parts)
    }

    #[test]
    fn adds_up_and_sorts() {
        check(&[], &[]);
        check(&[&[("b", 1), ("a", 1)]], &[("a", 1), ("b", 1)]);
        check(
            &[&[("x", 2), ("y", 3)], &[], &[("x", 2), ("z", 1)]],
            &[("x", 4), ("y", 3), ("z", 1)],
        );
    }

    #[test]
    fn keeps_a_hundred_of_many() {
        let counts = (0..500).map(|n| (format!("w{n}"), n)).collect();
        let parts = Results::gather([(7, Counts { words: 1, counts })]).expect("counts are JSON");
        let got = top_of(parts).expect("counts add up");
        assert_eq!((got.distinct, got.top.len()), (500, TOP));
        assert_eq!(got.top[0].word, "w499");
    }
}
