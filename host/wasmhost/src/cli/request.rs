//! `wasmhost request TASK`: asks the driver of the primary for a task.

use super::context::Context;
use super::exit::{Exit, Fault};
use super::result;
use super::submit::read_input;
use crate::client::Client;
use crate::output::human::clean;
use std::path::PathBuf;
use wasmhost_proto::api::{NewRequest, RequestState, RequestView, TaskState, TaskView};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The task, one that the driver's definition lets it start
    #[arg(required_unless_present = "withdraw")]
    task: Option<String>,
    /// Input: JSON, @FILE, or - for standard input [default: null]
    #[arg(short, long, value_name = "JSON")]
    input: Option<String>,
    /// The same key again is the same request: letters, digits and . _ : -
    #[arg(long)]
    key: Option<String>,
    /// Wait for the end of the task that answers it, and print its result
    #[arg(long)]
    wait: bool,
    /// Write the result to this file
    #[arg(long, value_name = "FILE", requires = "wait")]
    to: Option<PathBuf>,
    /// Take the request of this key back, if the driver has started no task for it
    #[arg(long, value_name = "KEY", conflicts_with_all = ["task", "input", "key", "wait"])]
    withdraw: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    if let Some(key) = &args.withdraw {
        let client = cx.client().await?;
        show(cx, &client.withdraw_request(key).await?)?;
        return Ok(Exit::OK);
    }
    let request = NewRequest {
        task: args.task.unwrap_or_default(),
        input: input(args.input.as_deref())?,
        key: args.key,
    };
    let client = cx.client().await?;
    let made = client.make_request(&request).await?;
    if !args.wait {
        show(cx, &made)?;
        return Ok(Exit::OK);
    }
    let view = client.request_end(&made.key).await?;
    if cx.out.is_json() && args.to.is_none() {
        show(cx, &view)?;
        return Ok(exit(&view));
    }
    match &view.answer {
        Some(task) if task.state == TaskState::Succeeded => {
            give(cx, &client, task, args.to).await?;
            Ok(Exit::OK)
        }
        answer => Err(failed(&view, answer.as_ref()).into()),
    }
}

async fn give(
    cx: &Context,
    client: &Client,
    task: &TaskView,
    to: Option<PathBuf>,
) -> anyhow::Result<()> {
    let job = task.job.to_string();
    let response = client.task_result(&job, &task.node, task.index).await?;
    result::write(cx, response, to.as_deref()).await
}

fn input(text: Option<&str>) -> anyhow::Result<serde_json::Value> {
    let Some(text) = text else {
        return Ok(serde_json::Value::Null);
    };
    let bytes = read_input(text)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Fault::new(
            Exit::USAGE,
            "bad_input",
            format!("the input is no JSON: {error}"),
        )
        .help("a text is JSON in quotes: --input '\"text\"'")
        .into()
    })
}

fn show(cx: &Context, view: &RequestView) -> anyhow::Result<()> {
    cx.out.answer(view, |view| view.key.clone(), text)
}

fn text(view: &RequestView) -> String {
    let state = match (&view.answer, view.state) {
        (Some(task), _) => format!("is {}.{}.{}", task.job, task.node, task.index),
        (None, RequestState::Withdrawn) => "is withdrawn".into(),
        (None, _) => "waits for the driver".into(),
    };
    format!("request {} for {} {state}\n", view.key, clean(&view.task))
}

fn exit(view: &RequestView) -> Exit {
    match &view.answer {
        Some(task) if task.state == TaskState::Succeeded => Exit::OK,
        _ => Exit::FAILED,
    }
}

fn failed(view: &RequestView, answer: Option<&TaskView>) -> Fault {
    let Some(task) = answer else {
        let title = format!("request {} was taken back", view.key);
        return Fault::new(Exit::FAILED, "withdrawn", title);
    };
    let failure = task.attempts.first().and_then(|a| a.failure.as_ref());
    let why = failure.map_or("it was cancelled", |failure| &failure.message);
    let title = format!("request {} failed: {}", view.key, clean(why));
    let help = format!(
        "see `wasmhost show {}.{}.{}`",
        task.job, task.node, task.index
    );
    Fault::new(Exit::FAILED, "request_failed", title).help(help)
}
