//! The timeline of a task: what its attempts went through and published, in order of time.

use super::AttemptView;
use crate::outcome::FailureKind;
use crate::status::{NamedValue, Past, Progress, Value, Was};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Something on a task's timeline. Times of attempts are by the worker's clock.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Moment {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub at: Timestamp,
    /// Of which attempt.
    pub attempt: u32,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What is on a timeline.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Happening {
    /// The attempt began.
    Started {
        /// The worker's name.
        worker: String,
    },
    /// The progress became this.
    Progress(Progress),
    /// A value became this.
    Value(NamedValue),
    /// The guest said that something happened.
    Event {
        /// Its name.
        name: String,
        /// What the guest said of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
    },
    /// The attempt ended.
    Ended {
        /// Why it failed; none on success.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<FailureKind>,
    },
}

/// The timeline of these attempts, which lose their history to it. In order of attempt,
/// then of time: clocks of workers differ.
pub fn timeline(attempts: &mut [AttemptView]) -> Vec<Moment> {
    attempts.sort_by_key(|a| std::cmp::Reverse(a.attempt));
    let oldest_first = attempts.iter_mut().rev();
    oldest_first.flat_map(of_attempt).collect()
}

fn of_attempt(attempt: &mut AttemptView) -> Vec<Moment> {
    let number = attempt.attempt;
    let moment = |at, what| Moment {
        at,
        attempt: number,
        what,
    };
    let past = std::mem::take(&mut attempt.status.history).into_iter();
    let published = past.map(|Past { at, was }| {
        let what = match was {
            Was::Progress(progress) => Happening::Progress(progress),
            Was::Value(value) => Happening::Value(value),
        };
        moment(at, what)
    });
    let events = attempt.status.events.iter().cloned().map(|event| {
        let (name, value) = (event.name, event.value);
        moment(event.at, Happening::Event { name, value })
    });
    let mut between: Vec<Moment> = published.chain(events).collect();
    between.sort_by_key(|m| m.at);
    let worker = attempt.worker_name.clone();
    let start = attempt.started;
    let start = start.map(|at| moment(at, Happening::Started { worker }));
    let failure = attempt.failure.as_ref().map(|f| f.kind);
    let end = attempt.ended;
    let end = end.map(|at| moment(at, Happening::Ended { failure }));
    start.into_iter().chain(between).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Failure;
    use crate::status::Event;

    #[test]
    fn attempts_follow_each_other_and_what_they_published_lies_between() {
        let attempt = |number, start, failed: Option<FailureKind>| {
            let mut view = AttemptView {
                attempt: number,
                worker: None,
                worker_name: "w".into(),
                started: Some(Timestamp(start)),
                ended: Some(Timestamp(start + 9)),
                failure: failed.map(|kind| Failure::new(kind, "")),
                usage: None,
                status: Default::default(),
                status_age_ms: None,
            };
            let progress = Progress::default();
            view.status.history = vec![Past {
                at: Timestamp(start + 5),
                was: Was::Progress(progress),
            }];
            view.status.events = vec![Event {
                at: Timestamp(start + 2),
                name: "e".into(),
                value: None,
            }];
            view
        };
        // The second one ran on a worker whose clock is behind.
        let mut attempts = [
            attempt(2, 50, None),
            attempt(1, 100, Some(FailureKind::Trap)),
        ];
        let words = |m: &Moment| {
            let word = match &m.what {
                Happening::Started { .. } => "started",
                Happening::Progress(_) => "progress",
                Happening::Value(_) => "value",
                Happening::Event { .. } => "event",
                Happening::Ended { failure: None } => "succeeded",
                Happening::Ended { .. } => "failed",
            };
            format!("{} {} {word}", m.attempt, m.at.0)
        };
        let told: Vec<String> = timeline(&mut attempts).iter().map(words).collect();
        let want = [
            "1 100 started",
            "1 102 event",
            "1 105 progress",
            "1 109 failed",
            "2 50 started",
            "2 52 event",
            "2 55 progress",
            "2 59 succeeded",
        ];
        assert_eq!(told, want);
        assert!(attempts.iter().all(|a| a.status.history.is_empty()));
    }
}
