//! The compact form of a batch of outcomes.
//!
//! Almost all of them are successes with a small result and nothing else, of consecutive
//! indexes of one node. Such ones share what they have in common, and say the rest as
//! distances from the one before: about 15 bytes each and the result. The others are
//! written as they are.

use super::{AttemptOutcome, End, ResultData};
use crate::ids::{JobId, Lease, NodeIndex, TaskId};
use crate::outcome::Usage;
use crate::time::Timestamp;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};
use std::fmt;
use std::sync::Arc;

/// Outcomes of a batch that are written together.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum EntryRef<'a> {
    Run(RunRef<'a>),
    One(&'a AttemptOutcome),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Run(Run),
    One(AttemptOutcome),
}

/// Job, node, lease, the index and the time that the first distances are from, successes.
#[derive(Serialize)]
struct RunRef<'a>(JobId, NodeIndex, Lease, u32, Timestamp, Successes<'a>);

#[derive(Deserialize)]
struct Run(JobId, NodeIndex, Lease, u32, Timestamp, Vec<Success>);

/// Index and end as distances from those before, how long it ran if its start is known,
/// wall time, processor time, memory, result.
#[derive(Serialize)]
struct SuccessRef<'a>(i64, i64, Option<i64>, u64, u64, u64, &'a Bytes);

#[derive(Deserialize)]
struct Success(i64, i64, Option<i64>, u64, u64, u64, ByteBuf);

struct Successes<'a>(&'a [AttemptOutcome]);

/// The result of an outcome that the short form can say.
fn plain(outcome: &AttemptOutcome) -> Option<&[u8]> {
    match &outcome.end {
        End::Success(ResultData::Inline(bytes)) if outcome.report.is_none() => Some(bytes),
        _ => None,
    }
}

fn together(a: &AttemptOutcome, b: &AttemptOutcome) -> bool {
    (a.task.job, a.task.node, a.lease) == (b.task.job, b.task.node, b.lease)
        && plain(a).is_some()
        && plain(b).is_some()
}

impl Serialize for Successes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(first) = self.0.first() else {
            return serializer.collect_seq(std::iter::empty::<()>());
        };
        let (mut index, mut ended) = (first.task.index, first.ended);
        serializer.collect_seq(self.0.iter().map(|outcome| {
            let step = i64::from(outcome.task.index) - i64::from(index);
            // Clocks are set back: distances have either sign.
            let after = outcome.ended.0.wrapping_sub(ended.0) as i64;
            (index, ended) = (outcome.task.index, outcome.ended);
            let ran = outcome.started.map(|at| ended.0.wrapping_sub(at.0) as i64);
            let Usage {
                wall_us,
                cpu_us,
                peak_memory,
            } = outcome.usage;
            let result = Bytes::new(plain(outcome).unwrap_or_default());
            SuccessRef(step, after, ran, wall_us, cpu_us, peak_memory, result)
        }))
    }
}

fn entry(some: &[AttemptOutcome]) -> EntryRef<'_> {
    let first = &some[0];
    if plain(first).is_none() {
        return EntryRef::One(first);
    }
    let TaskId { job, node, index } = first.task;
    let run = RunRef(job, node, first.lease, index, first.ended, Successes(some));
    EntryRef::Run(run)
}

pub(super) fn serialize<S: Serializer>(
    items: &Arc<Vec<AttemptOutcome>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    // No chunk is empty, and one that is no run has one outcome.
    let entries: Vec<EntryRef<'_>> = items.chunk_by(together).map(entry).collect();
    serializer.collect_seq(entries)
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<AttemptOutcome>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outcomes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<AttemptOutcome>, A::Error> {
        let mut items = Vec::new();
        while let Some(entry) = seq.next_element()? {
            match entry {
                Entry::One(outcome) => items.push(outcome),
                Entry::Run(run) => expand(run, &mut items).map_err(A::Error::custom)?,
            }
        }
        Ok(items)
    }
}

/// Appends the outcomes of a run.
fn expand(run: Run, items: &mut Vec<AttemptOutcome>) -> Result<(), String> {
    let Run(job, node, lease, mut index, mut ended, successes) = run;
    items.reserve(successes.len());
    for success in successes {
        let Success(step, after, ran, wall_us, cpu_us, peak_memory, result) = success;
        let next = i64::from(index).checked_add(step);
        index = next
            .and_then(|next| u32::try_from(next).ok())
            .ok_or_else(|| format!("{step} after {index} is no index"))?;
        ended = Timestamp(ended.0.wrapping_add(after as u64));
        items.push(AttemptOutcome {
            task: TaskId { job, node, index },
            lease,
            started: ran.map(|ran| Timestamp(ended.0.wrapping_sub(ran as u64))),
            ended,
            end: End::Success(ResultData::Inline(result.into_vec())),
            usage: Usage {
                wall_us,
                cpu_us,
                peak_memory,
            },
            report: None,
        });
    }
    Ok(())
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Arc<Vec<AttemptOutcome>>, D::Error> {
    deserializer.deserialize_seq(Entries).map(Arc::new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::ToPrimary;
    use super::*;
    use crate::codec::{decode, encode};
    use crate::input::BlobRef;
    use crate::outcome::{Failure, FailureKind};
    use crate::{Digest, wire::FinalReport};

    fn outcome(node: u16, index: u32, attempt: u32, ended: u64) -> AttemptOutcome {
        let job = JobId(9);
        AttemptOutcome {
            task: TaskId { job, node, index },
            lease: Lease { term: 1, attempt },
            started: (index != 3).then_some(Timestamp(ended / 2)),
            ended: Timestamp(ended),
            end: End::Success(ResultData::Inline(vec![7; index as usize % 5])),
            usage: Usage {
                wall_us: u64::from(index),
                cpu_us: u64::MAX,
                peak_memory: 1 << 20,
            },
            report: None,
        }
    }

    fn check(items: Vec<AttemptOutcome>) -> usize {
        let items = Arc::new(items);
        let message = ToPrimary::Outcomes { batch: 4, items };
        let bytes = encode(&message).unwrap();
        assert_eq!(decode::<ToPrimary>(&bytes).unwrap(), message);
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<ToPrimary>(&json).unwrap(), message);
        bytes.len()
    }

    #[test]
    fn outcomes_read_back() {
        let now = 1_795_176_000_000;
        let lost = Failure::new(FailureKind::Trap, "it broke");
        let failed = End::Failure(Box::new(lost), Some(ResultData::Inline(vec![1])));
        let digest = Digest([1; 32]);
        check(vec![]);
        check(vec![
            outcome(0, 5, 1, now),
            outcome(0, 4, 1, now - 10),
            outcome(0, u32::MAX, 1, u64::MAX),
            outcome(0, 0, 1, 0),
            outcome(0, 6, 2, now),
            outcome(1, 7, 2, now),
            AttemptOutcome {
                end: failed,
                ..outcome(1, 8, 2, now)
            },
            AttemptOutcome {
                end: End::Success(ResultData::Blob(BlobRef { digest, len: 3 })),
                ..outcome(1, 9, 2, now)
            },
            AttemptOutcome {
                report: Some(Box::new(FinalReport::default())),
                ..outcome(1, 3, 2, now)
            },
            outcome(1, 3, 2, now),
        ]);
    }

    #[test]
    fn a_common_success_is_small() {
        let common = |n: u32| AttemptOutcome {
            started: Some(Timestamp(1_795_176_000_000 + u64::from(n) / 8)),
            end: End::Success(ResultData::Inline(vec![])),
            usage: Usage {
                wall_us: 900,
                cpu_us: 800,
                peak_memory: 1 << 20,
            },
            ..outcome(0, 100_000 + n, 1, 1_795_176_000_001 + u64::from(n) / 8)
        };
        let bytes = check((0..1000).map(common).collect());
        assert!(bytes < 17 * 1000, "{bytes}");
    }

    #[test]
    fn an_index_out_of_bounds_is_refused() {
        let run = |step: i64| {
            let success = SuccessRef(step, 0, None, 0, 0, 0, Bytes::new(&[]));
            let lease = Lease {
                term: 1,
                attempt: 1,
            };
            encode(&(JobId(1), 0, lease, 5, Timestamp(0), [success])).unwrap()
        };
        let read = |step| expand(decode::<Run>(&run(step)).unwrap(), &mut Vec::new());
        assert_eq!(read(-5), Ok(()));
        assert!(read(-6).is_err() && read(i64::MIN).is_err() && read(1 << 32).is_err());
    }
}
