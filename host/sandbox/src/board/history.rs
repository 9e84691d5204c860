//! What progress and values were before, within a bound: written when a status is shown,
//! not when the guest calls, so that a guest that sets a value a million times a second
//! costs nothing here. Events are no part of it: they are kept anyway.

use crate::text::clip;
use std::collections::BTreeMap;
use wasmhost_proto::Timestamp;
use wasmhost_proto::limits::{MAX_HISTORY, MAX_HISTORY_TEXT};
use wasmhost_proto::status::{NamedValue, Past, Progress, Status, Value, Was};

/// How finely an attempt is remembered.
#[derive(Default)]
pub(super) struct History {
    /// The shortest time between two entries of one name, milliseconds.
    gap: u64,
}

/// The gap after the first thinning, milliseconds; each further one doubles it.
const FIRST_GAP_MS: u64 = 200;

impl History {
    /// Remembers what of `status` is new since it was last shown.
    pub(super) fn note(&mut self, at: Timestamp, status: &mut Status) {
        let progress = status.progress.as_ref().map(|p| Was::Progress(brief(p)));
        let values = status.values.iter().map(|v| Was::Value(short(v)));
        let now: Vec<Was> = progress.into_iter().chain(values).collect();
        for was in now {
            self.add(&mut status.history, Past { at, was });
        }
    }

    fn add(&mut self, history: &mut Vec<Past>, new: Past) {
        let last = history.iter_mut().rev().find(|p| name(p) == name(&new));
        match last {
            Some(last) if last.was == new.was => return,
            // The later one is the truer one; the time is when it began to change.
            Some(last) if new.at.since(last.at) < self.gap => {
                last.was = new.was;
                return;
            }
            _ => history.push(new),
        }
        if history.len() > MAX_HISTORY && thin(history) {
            self.gap = self.gap.saturating_mul(2).max(FIRST_GAP_MS);
        }
    }
}

/// Drops every other entry of each name, never its first or its last. Where all are first
/// or last, the oldest one goes, and it is false.
fn thin(history: &mut Vec<Past>) -> bool {
    let mut count: BTreeMap<Option<String>, (usize, usize)> = BTreeMap::new();
    for past in history.iter() {
        count.entry(name(past).map(str::to_owned)).or_default().1 += 1;
    }
    let before = history.len();
    history.retain(|past| match count.get_mut(&name(past).map(str::to_owned)) {
        Some((seen, all)) => {
            *seen += 1;
            *seen % 2 == 1 || seen == all
        }
        None => true,
    });
    let thinned = history.len() < before;
    if !thinned {
        history.remove(0);
    }
    thinned
}

/// The name of a value; none for the progress.
fn name(past: &Past) -> Option<&str> {
    match &past.was {
        Was::Progress(_) => None,
        Was::Value(value) => Some(&value.name),
    }
}

fn brief(progress: &Progress) -> Progress {
    let message = progress.message.clone();
    Progress {
        message: message.map(|m| clip(m, MAX_HISTORY_TEXT)),
        ..*progress
    }
}

/// A long text loses its end; long JSON becomes such a text, as it is JSON no more.
fn short(value: &NamedValue) -> NamedValue {
    let clipped = match &value.value {
        Value::Text(text) => Value::Text(clip(text.clone(), MAX_HISTORY_TEXT)),
        Value::Json(json) if json.len() > MAX_HISTORY_TEXT => {
            Value::Text(clip(json.clone(), MAX_HISTORY_TEXT))
        }
        other => other.clone(),
    };
    NamedValue {
        name: value.name.clone(),
        value: clipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(done: u64) -> Progress {
        Progress {
            done,
            ..Progress::default()
        }
    }

    /// Shows progress at these times, each as large as its time, and a phase that
    /// changes every thousand milliseconds.
    fn shown(times: impl IntoIterator<Item = u64>) -> Vec<Past> {
        let (mut history, mut status) = (History::default(), Status::default());
        for at in times {
            status.progress = Some(done(at));
            let phase = Value::Int((at / 1000) as i64);
            status.values = vec![NamedValue {
                name: "phase".into(),
                value: phase,
            }];
            history.note(Timestamp(at), &mut status);
            assert!(status.history.len() <= MAX_HISTORY);
        }
        status.history
    }

    fn phases(history: &[Past]) -> Vec<i64> {
        let phase = |past: &Past| match &past.was {
            Was::Value(NamedValue {
                value: Value::Int(n),
                ..
            }) => Some(*n),
            _ => None,
        };
        history.iter().filter_map(phase).collect()
    }

    #[test]
    fn what_changes_is_remembered_once() {
        let history = shown([0, 100, 100, 200, 1000]);
        assert_eq!(phases(&history), [0, 1]);
        let progress = history.iter().filter(|p| name(p).is_none());
        assert_eq!(
            progress.map(|p| p.at.0).collect::<Vec<_>>(),
            [0, 100, 200, 1000]
        );
    }

    #[test]
    fn a_long_attempt_is_remembered_from_its_first_to_its_last() {
        for end in [6_400, 64_000, 640_000, 6_400_000] {
            let history = shown((0..=end).step_by(100));
            assert!(history.len() >= MAX_HISTORY / 4, "{end}: {}", history.len());
            let progress: Vec<&Past> = history.iter().filter(|p| name(p).is_none()).collect();
            assert_eq!(progress.first().map(|p| p.at.0), Some(0), "{end}");
            let last = progress.last().map(|p| &p.was);
            assert_eq!(last, Some(&Was::Progress(done(end))), "{end}");
            assert_eq!(
                phases(&history).last(),
                Some(&((end / 1000) as i64)),
                "{end}"
            );
            assert!(history.is_sorted_by_key(|p| p.at), "{end}");
        }
    }

    #[test]
    fn more_names_than_entries_lose_the_oldest() {
        let (mut history, mut past) = (History::default(), Vec::new());
        for n in 0..2 * MAX_HISTORY as u64 {
            let value = NamedValue {
                name: format!("v{n}"),
                value: Value::Int(0),
            };
            let at = Timestamp(n);
            let was = Was::Value(value);
            history.add(&mut past, Past { at, was });
        }
        assert_eq!(past.len(), MAX_HISTORY);
        assert_eq!(past.last().and_then(name), Some("v127"));
        assert_eq!(history.gap, 0, "what is long ago is lost, not what is fine");
    }

    #[test]
    fn long_texts_lose_their_ends() {
        let long = "x".repeat(2 * MAX_HISTORY_TEXT);
        for (value, text) in [
            (Value::Text(long.clone()), true),
            (Value::Json(format!("\"{long}\"")), true),
            (Value::Json("[1]".into()), false),
        ] {
            let named = NamedValue {
                name: "n".into(),
                value,
            };
            match short(&named).value {
                Value::Text(kept) => assert!(text && kept.len() <= MAX_HISTORY_TEXT),
                other => assert!(!text, "{other:?}"),
            }
        }
    }
}
