//! `wasmhost show JOB[.NODE[.INDEX]]`

use super::context::Context;
use super::exit::Exit;
use super::reference::Reference;
use crate::client::{Client, Listing};
use crate::output::{human, lists, story};
use wasmhost_proto::api::{JobStatus, TaskView};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// JOB, JOB.INDEX, JOB.NODE or JOB.NODE.INDEX; JOB may be `latest`
    #[arg(default_value = "latest")]
    what: Reference,
    /// At most this many tasks of a node
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Of a task, show the whole timeline
    #[arg(long)]
    timeline: bool,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let Reference { job, node, index } = args.what;
    match (node, index) {
        (None, _) => whole(&client, cx, &job).await?,
        (Some(node), Some(index)) => task(&client, cx, &job, (&node, index), args.timeline).await?,
        (Some(node), None) => {
            let listing = Listing {
                limit: Some(args.limit as usize),
                node: Some(node.clone()),
                state: None,
            };
            let page = client.tasks(&job, &listing).await?;
            if let [only] = page.items.as_slice() {
                return task(&client, cx, &job, (&node, only.index), args.timeline)
                    .await
                    .map(|()| Exit::OK);
            }
            let ids = |page: &wasmhost_proto::api::Page<TaskView>| {
                page.items
                    .iter()
                    .map(|t| format!("{}.{}\n", t.job, lists::task_name(t)))
                    .collect()
            };
            cx.out
                .answer(&page, ids, |page| lists::tasks(&page.items, human::now()))?;
            if page.next_cursor.is_some() {
                cx.out.talk("there are more: see --limit");
            }
        }
    }
    Ok(Exit::OK)
}

async fn whole(client: &Client, cx: &Context, job: &str) -> anyhow::Result<()> {
    if cx.out.is_json() || cx.out.quiet {
        let job = client.job(job).await?;
        return cx
            .out
            .answer(&job, |job| job.id.to_string(), |_| String::new());
    }
    let status = client.status(job).await?;
    let waiting = first_waiting(client, &status).await?;
    cx.out.text(&story::job(&status, waiting.as_ref()))
}

/// A task that waits, so that the story can say why.
async fn first_waiting(client: &Client, status: &JobStatus) -> anyhow::Result<Option<TaskView>> {
    if status.job.state.is_final() || status.job.counts.waiting == 0 {
        return Ok(None);
    }
    let listing = Listing {
        limit: Some(1),
        state: Some("waiting".into()),
        node: None,
    };
    Ok(client
        .tasks(&status.job.id.to_string(), &listing)
        .await?
        .items
        .pop())
}

async fn task(
    client: &Client,
    cx: &Context,
    job: &str,
    (node, index): (&str, u32),
    whole: bool,
) -> anyhow::Result<()> {
    let task = client.task(job, node, index).await?;
    let id = |t: &TaskView| format!("{}.{}", t.job, lists::task_name(t));
    if cx.out.is_json() || cx.out.quiet {
        return cx.out.answer(&task, id, |_| String::new());
    }
    let log = match task.attempts.is_empty() {
        true => String::new(),
        false => client.task_log(job, node, index).await?,
    };
    let of = client.job(&task.job.to_string()).await?;
    cx.out
        .text(&story::task(&task, &of, &log, whole, human::now()))
}
