//! Follows a job until it ends, somebody presses Ctrl-C, or the time is up.
//! Survives a primary that restarts: the job does too.

use super::context::Context;
use super::reference::Reference;
use super::signals;
use crate::client::{Client, ClientError, Events, PATIENCE, TRY_EVERY};
use crate::output::bars::Bars;
use crate::output::human::clean;
use crate::output::lists::task_name;
use crate::settings::values::Millis;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use wasmhost_proto::api::{JobStatus, JobView, TaskState, TaskView};

/// How to follow.
#[derive(Default)]
pub(crate) struct Follow {
    /// Write log lines as they come.
    pub(crate) logs: bool,
    /// Write each status as a line of JSON.
    pub(crate) changes: bool,
    /// Only the log lines of this node or task.
    pub(crate) only: Option<Reference>,
    /// Stop after this time.
    pub(crate) timeout: Option<Millis>,
    /// The primary has answered just now, so that silence means it restarts.
    pub(crate) known: bool,
}

/// How following ended.
pub(crate) enum Followed {
    /// The job has ended.
    Ended(Box<JobView>),
    /// Ctrl-C: the job goes on.
    Detached(String),
    /// The time was up: the job goes on.
    TimedOut(String),
}

/// Tasks whose logs are followed at once.
const FOLLOWED_TASKS: usize = 32;

/// See the module. `job` may be a prefix or `latest`.
pub(crate) async fn job(
    cx: &Context,
    client: &Client,
    job: &str,
    options: Follow,
) -> anyhow::Result<Followed> {
    let mut bars = Bars::new(cx.out.progress());
    let mut updates = Updates {
        client,
        job: job.to_owned(),
        events: None,
        lost: None,
        known: options.known,
    };
    let mut logs = Logs::default();
    let timeout = async {
        match options.timeout {
            Some(time) => tokio::time::sleep(Duration::from_millis(time.0)).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(timeout);
    let interrupted = signals::interrupted();
    tokio::pin!(interrupted);
    let followed = loop {
        let status = tokio::select! {
            status = updates.next(&bars) => status?,
            done = &mut interrupted => {
                done?;
                break Followed::Detached(updates.job);
            }
            () = &mut timeout => break Followed::TimedOut(updates.job),
        };
        if options.changes {
            bars.data(&format!("{}\n", serde_json::to_string(&status)?))?;
        }
        bars.update(&status);
        if options.logs {
            logs.follow(client, &status, options.only.as_ref(), &bars)
                .await?;
        }
        if status.job.state.is_final() {
            break Followed::Ended(Box::new(status.job));
        }
    };
    bars.clear();
    Ok(followed)
}

/// The statuses of a job over connections that may break.
struct Updates<'a> {
    client: &'a Client,
    job: String,
    events: Option<Events>,
    lost: Option<Instant>,
    known: bool,
}

impl Updates<'_> {
    async fn next(&mut self, bars: &Bars) -> Result<JobStatus, ClientError> {
        loop {
            match self.try_next().await {
                Ok(Some(status)) => {
                    // `latest` must stay the job that it was at first.
                    self.job = status.job.id.to_string();
                    self.known = true;
                    self.lost = None;
                    return Ok(status);
                }
                Ok(None) => self.events = None,
                Err(error) if error.is_passing() && self.known => {
                    self.events = None;
                    let since = *self.lost.get_or_insert_with(|| {
                        bars.say(&format!("{error}; waiting for it to come back"));
                        Instant::now()
                    });
                    if since.elapsed() > PATIENCE {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }

    /// None when the stream ended without the job having done so.
    async fn try_next(&mut self) -> Result<Option<JobStatus>, ClientError> {
        let events = match &mut self.events {
            Some(events) => events,
            None => self.events.insert(self.client.job_events(&self.job).await?),
        };
        while let Some(event) = events.next().await? {
            if event.name == "job" {
                return serde_json::from_str(&event.data)
                    .map(Some)
                    .map_err(|error| ClientError::Protocol {
                        addr: self.client.addr().into(),
                        what: error.to_string(),
                    });
            }
        }
        Ok(None)
    }
}

/// What of each attempt's log has been written.
#[derive(Default)]
struct Logs {
    seen: HashMap<(String, u32), String>,
}

impl Logs {
    async fn follow(
        &mut self,
        client: &Client,
        status: &JobStatus,
        only: Option<&Reference>,
        bars: &Bars,
    ) -> anyhow::Result<()> {
        let job = status.job.id.to_string();
        let prefixed = status.job.counts.total > 1;
        let mut left = FOLLOWED_TASKS;
        let wanted = |task: &&TaskView| only.is_none_or(|only| only.means(&status.job, task));
        for task in status.tasks.iter().filter(wanted) {
            let attempt = task.attempts.first().map_or(0, |a| a.attempt);
            let key = (task_name(task), attempt);
            let has_log =
                !matches!(task.state, TaskState::Waiting | TaskState::Assigned) && attempt > 0;
            let ended = task.state != TaskState::Running;
            // The final log of a task is read once; the mark is its end.
            let done = self.seen.get(&key).is_some_and(|seen| seen.ends_with('\0'));
            if !has_log || done || left == 0 {
                continue;
            }
            left -= 1;
            let text = match client.task_log(&job, &task.node, task.index).await {
                Ok(text) => text,
                Err(error) if error.is_passing() || error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
            let seen = self.seen.entry(key.clone()).or_default();
            let prefix = if prefixed {
                format!("{} | ", key.0)
            } else {
                String::new()
            };
            let fresh = fresh(seen, &text, ended);
            let lines: String = fresh
                .lines()
                .map(|l| format!("{prefix}{}\n", clean(l)))
                .collect();
            if !lines.is_empty() {
                bars.data(&lines)?;
            }
            seen.clear();
            seen.push_str(if ended {
                "\0"
            } else {
                &text[..text.rfind('\n').map_or(0, |i| i + 1)]
            });
        }
        Ok(())
    }
}

/// The part of a log that was not seen: whole lines only, until it has ended.
fn fresh<'a>(seen: &str, text: &'a str, ended: bool) -> &'a str {
    let whole = if ended {
        text.len()
    } else {
        text.rfind('\n').map_or(0, |i| i + 1)
    };
    // Past its bound a log loses its middle: then what is new cannot be told, and is shown as it is.
    let from = if text.starts_with(seen) {
        seen.len()
    } else {
        0
    };
    text.get(from..whole).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::fresh;

    #[test]
    fn only_new_whole_lines_are_written() {
        for (seen, text, ended, want) in [
            ("", "a\nb", false, "a\n"),
            ("a\n", "a\nb", false, ""),
            ("a\n", "a\nb", true, "b"),
            ("a\n", "a\nb\nc\n", false, "b\nc\n"),
            ("a\nb\n", "a\n[…]\nz\n", false, "a\n[…]\nz\n"),
            ("", "", true, ""),
        ] {
            assert_eq!(fresh(seen, text, ended), want, "{seen:?} {text:?} {ended}");
        }
    }
}
