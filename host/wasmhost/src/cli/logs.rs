//! `wasmhost logs JOB[.NODE][.INDEX]`

use super::context::Context;
use super::exit::Exit;
use super::follow::{self, Follow};
use super::reference::Reference;
use super::report;
use crate::client::{Client, Listing};
use crate::output::human::clean;
use crate::output::style::dim;
use serde::Serialize;
use wasmhost_proto::JobId;
use wasmhost_proto::api::TaskView;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// JOB, JOB.INDEX, JOB.NODE or JOB.NODE.INDEX; JOB may be `latest`
    #[arg(default_value = "latest")]
    what: Reference,
    /// Go on until the job ends
    #[arg(short, long)]
    follow: bool,
    /// At most this many tasks
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// The log of one task's latest attempt.
#[derive(Serialize)]
struct TaskLog {
    job: JobId,
    node: String,
    index: u32,
    log: String,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    if args.follow {
        let job = args.what.job.clone();
        let options = Follow {
            logs: true,
            only: Some(args.what),
            ..Follow::default()
        };
        let followed = follow::job(cx, &client, &job, options).await?;
        return report::outcome(cx, &client, followed).await;
    }
    let (tasks, more) = chosen(&client, &args).await?;
    let mut logs = Vec::new();
    for task in tasks.iter().filter(|task| !task.attempts.is_empty()) {
        let job = task.job.to_string();
        logs.push(TaskLog {
            job: task.job,
            node: task.node.clone(),
            index: task.index,
            log: client.task_log(&job, &task.node, task.index).await?,
        });
    }
    let headed = tasks.len() > 1;
    cx.out
        .answer(&logs, |logs| text(logs, false), |logs| text(logs, headed))?;
    if more {
        cx.out
            .talk("there are more tasks: name one, or see --limit");
    }
    Ok(Exit::OK)
}

/// The tasks meant, and whether some were left out.
async fn chosen(client: &Client, args: &Args) -> anyhow::Result<(Vec<TaskView>, bool)> {
    let what = &args.what;
    if let (Some(node), Some(index)) = (&what.node, what.index) {
        return Ok((vec![client.task(&what.job, node, index).await?], false));
    }
    let listing = Listing {
        limit: Some(args.limit as usize),
        node: what.node.clone(),
        state: None,
    };
    let page = client.tasks(&what.job, &listing).await?;
    Ok((page.items, page.next_cursor.is_some()))
}

fn text(logs: &[TaskLog], headed: bool) -> String {
    let mut out = String::new();
    for one in logs.iter().filter(|one| !one.log.is_empty()) {
        if headed {
            out.push_str(&dim(format!("== {}.{}\n", one.node, one.index)));
        }
        out.push_str(&clean(&one.log));
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_many_tasks_are_told_apart() {
        let log = |index, log: &str| TaskLog {
            job: JobId(1),
            node: "n".into(),
            index,
            log: log.into(),
        };
        let logs = [log(0, "a\u{7}\n"), log(1, ""), log(2, "b")];
        let got = anstream::adapter::strip_str(&text(&logs, true)).to_string();
        assert_eq!(got, "== n.0\na\\u{7}\n== n.2\nb\n");
    }
}
