//! What is said of a job that was waited for: its result, or why it has none
//! and what to type next.

use super::context::Context;
use super::exit::{Exit, Fault};
use super::follow::Followed;
use super::result;
use crate::client::{Client, Listing};
use crate::output::human::clean;
use crate::output::style::dim;
use crate::output::{human, lists, story};
use std::path::Path;
use wasmhost_proto::api::{JobState, JobView};

/// Tasks shown of an array that has no single result.
const SHOWN: usize = 20;
/// Log lines shown of a task that failed.
const LOG_LINES: usize = 20;

/// After waiting: the outcome, and the result of a job that has one.
pub(crate) async fn followed(
    cx: &Context,
    client: &Client,
    followed: Followed,
    to: Option<&Path>,
) -> anyhow::Result<Exit> {
    let Followed::Ended(job) = &followed else {
        return outcome(cx, client, followed).await;
    };
    if job.state == JobState::Succeeded {
        cx.out.talk(story::end(job));
        give(cx, client, job, to).await?;
        return Ok(Exit::OK);
    }
    outcome(cx, client, followed).await
}

/// After watching: the outcome alone.
pub(crate) async fn outcome(
    cx: &Context,
    client: &Client,
    followed: Followed,
) -> anyhow::Result<Exit> {
    match followed {
        Followed::Ended(job) => {
            if cx.out.is_json() {
                cx.out.answer(&job, |_| String::new(), |_| String::new())?;
            }
            cx.out.talk(story::end(&job));
            if matches!(job.state, JobState::Failed | JobState::Cancelled) {
                failed(cx, client, &job).await?;
            } else {
                cx.out.talk(story::next(&job));
            }
            Ok(Exit::of_job(&job))
        }
        Followed::Detached(job) => {
            cx.out
                .talk(format!("detached; the job goes on: wasmhost watch {job}"));
            Ok(Exit::INTERRUPTED)
        }
        Followed::TimedOut(job) => {
            let title = format!("job {job} has not ended in the time given");
            let help = format!("it goes on: wasmhost watch {job}, or wasmhost cancel {job}");
            Err(Fault::new(Exit::TIMED_OUT, "timed_out", title)
                .help(help)
                .into())
        }
    }
}

async fn failed(cx: &Context, client: &Client, job: &JobView) -> anyhow::Result<()> {
    if let Some(failure) = &job.failure {
        cx.out.talk(story::job_failure(job, failure).trim_end());
        if let Some(node) = &failure.node {
            // The story is worth telling without the log, too.
            let log = client
                .task_log(&job.id.to_string(), node, failure.index)
                .await
                .unwrap_or_default();
            if !log.trim().is_empty() {
                cx.out.talk(format!(
                    "{}\n{}",
                    dim("the end of its log"),
                    clean(&story::tail(&log, LOG_LINES))
                ));
            }
        }
    }
    cx.out.talk(story::next(job));
    Ok(())
}

async fn give(
    cx: &Context,
    client: &Client,
    job: &JobView,
    to: Option<&Path>,
) -> anyhow::Result<()> {
    let id = job.id.to_string();
    let single = job.result_node().is_some_and(|(_, node)| !node.array);
    if cx.out.is_json() {
        cx.out.answer(job, |_| String::new(), |_| String::new())?;
    }
    if single {
        if to.is_some() || !(cx.out.is_json() || cx.out.quiet) {
            result::write(cx, client.job_result(&id).await?, to).await?;
        }
        return Ok(());
    }
    if to.is_some() {
        let title = format!("job {id} has a result for each of its tasks, not one for a file");
        let help =
            format!("take one with `wasmhost result {id}.0 --to FILE`, or add a [reduce] task");
        return Err(Fault::new(Exit::REFUSED, "many_results", title)
            .help(help)
            .into());
    }
    if !cx.out.is_json() && !cx.out.quiet {
        let page = client
            .tasks(
                &id,
                &Listing {
                    limit: Some(SHOWN),
                    ..Listing::default()
                },
            )
            .await?;
        cx.out.text(&lists::tasks(&page.items, human::now()))?;
        cx.out
            .talk(dim(format!("each result: wasmhost result {id}.INDEX")));
    }
    Ok(())
}
