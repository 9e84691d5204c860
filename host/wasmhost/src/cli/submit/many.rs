//! `wasmhost submit FILE FILE …`: several definitions in one request. All are
//! submitted, or none is.

use super::target::Target;
use super::whole::Whole;
use super::{random_key, retrying};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Fault};
use crate::cli::params::Given;
use crate::client::{Client, ClientError};
use crate::output::human::count;
use crate::output::story;
use wasmhost_proto::api::{NewJobs, Page, SubmitBatch};
use wasmhost_proto::limits::MAX_BATCH_JOBS;

/// What is to be submitted, and how.
pub(super) struct Wish<'a> {
    /// The definitions.
    pub(super) targets: &'a [Target],
    /// Makes all of them once.
    pub(super) key: Option<String>,
    /// Whether to wait for all.
    pub(super) wait: bool,
    /// Whether they may wait for a worker that can run them.
    pub(super) wait_for_capacity: bool,
}

/// Submits all; waits for all of them when it is to.
pub(super) async fn run(cx: &Context, client: &Client, wish: Wish<'_>) -> anyhow::Result<Exit> {
    let files = wish.targets;
    if files.len() > MAX_BATCH_JOBS {
        let title = format!("{} definitions are too many for one request", files.len());
        let help =
            format!("submit {MAX_BATCH_JOBS} at a time; an array has room for millions of tasks");
        return Err(Fault::new(Exit::REFUSED, "too_many_jobs", title)
            .help(help)
            .into());
    }
    // Every mistake that can be seen here is seen before anything is uploaded.
    let definitions = files.iter();
    let definitions = definitions.map(|file| Whole::read(file, Given::default()));
    let definitions: Vec<Whole> = definitions.collect::<Result<_, _>>()?;
    for definition in &definitions {
        if let Whole::Given(definition) = definition {
            definition.parse()?;
        }
    }
    let mut batch = SubmitBatch::default();
    for definition in definitions {
        let mut request = definition.request(cx, client, wish.key.is_some()).await?;
        request.wait_for_capacity = wish.wait_for_capacity;
        batch.jobs.push(request);
    }
    let key = wish.key.map_or_else(random_key, Ok)?;
    let new = retrying(async || client.submit_all(&batch, &key).await)
        .await
        .map_err(|error| by_file(error, files))?;
    if !wish.wait {
        cx.out.answer(&new, ids, |new| names(new, files))?;
        cx.out
            .talk(format!("submitted {}", count(new.ids.len() as u64, "job")));
        return Ok(Exit::OK);
    }
    if cx.out.quiet && !cx.out.is_json() {
        cx.out.text(&format!("{}\n", ids(&new)))?;
    }
    cx.out.talk(names(&new, files).trim_end());
    let mut ended = Vec::new();
    for id in &new.ids {
        let job = client.job_end(&id.to_string()).await?;
        cx.out.talk(story::end(&job));
        ended.push(job);
    }
    let exit = ended
        .iter()
        .map(Exit::of_job)
        .find(|exit| *exit != Exit::OK);
    let page = Page {
        items: ended,
        next_cursor: None,
    };
    if cx.out.is_json() {
        cx.out.answer(&page, |_| String::new(), |_| String::new())?;
    }
    Ok(exit.unwrap_or(Exit::OK))
}

/// The primary tells jobs by their numbers, people by their files.
fn by_file(mut error: ClientError, files: &[Target]) -> ClientError {
    if let ClientError::Problem(problem) = &mut error {
        for mistake in &mut problem.errors {
            let (job, what) = mistake.message.split_once(": ").unwrap_or_default();
            let number = job
                .strip_prefix("job ")
                .and_then(|n| n.parse::<usize>().ok());
            if let Some(file) = number.and_then(|n| files.get(n)) {
                mistake.message = format!("{file}: {what}");
            }
        }
    }
    error
}

fn ids(new: &NewJobs) -> String {
    let ids = new.ids.iter().map(ToString::to_string);
    ids.collect::<Vec<_>>().join("\n")
}

fn names(new: &NewJobs, files: &[Target]) -> String {
    let lines = new.ids.iter().zip(files);
    let lines = lines.map(|(id, file)| format!("{id} {file}\n"));
    lines.collect()
}
