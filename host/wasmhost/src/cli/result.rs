//! `wasmhost result JOB[.NODE[.INDEX]]`

use super::context::Context;
use super::exit::{Exit, Fault};
use super::reference::Reference;
use crate::client::{Client, ClientError};
use crate::output::human::{clean, size};
use futures_util::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Response;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use wasmhost_proto::api::ResultView;

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// JOB, JOB.INDEX, JOB.NODE or JOB.NODE.INDEX; JOB may be `latest`
    #[arg(default_value = "latest")]
    what: Reference,
    /// Write it to this file
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Wait for the end of the job first
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let mut what = args.what;
    if args.wait {
        what.job = client.job_end(&what.job).await?.id.to_string();
    }
    let Reference { job, node, index } = &what;
    if cx.out.is_json() && args.to.is_none() {
        let view = view(&client, &what).await?;
        cx.out.answer(&view, |_| String::new(), |_| String::new())?;
        return Ok(Exit::OK);
    }
    let response = match node {
        None => client.job_result(job).await?,
        Some(node) => client.task_result(job, node, index.unwrap_or(0)).await?,
    };
    write(cx, response, args.to.as_deref()).await?;
    Ok(Exit::OK)
}

/// The result as the API describes it.
async fn view(client: &Client, what: &Reference) -> anyhow::Result<ResultView> {
    let (node, index) = match &what.node {
        Some(node) => (node.clone(), what.index.unwrap_or(0)),
        None => {
            let job = client.job(&what.job).await?;
            match job.result_node() {
                Some((_, node)) if !node.array => (node.name.clone(), 0),
                _ => {
                    let title = format!("job {} has a result for each of its tasks", job.id);
                    let fault = Fault::new(Exit::REFUSED, "many_results", title);
                    return Err(fault.help(format!("name one, such as {}.0", job.id)).into());
                }
            }
        }
    };
    let task = client.task(&what.job, &node, index).await?;
    task.result.ok_or_else(|| {
        let title = format!(
            "task {}.{}.{} has no result",
            task.job, task.node, task.index
        );
        Fault::new(Exit::REFUSED, "no_result", title)
            .help(format!(
                "see `wasmhost show {}.{}.{}`",
                task.job, task.node, task.index
            ))
            .into()
    })
}

/// Writes a result to a file, a pipe, or as text to a terminal.
pub(crate) async fn write(
    cx: &Context,
    response: Response,
    to: Option<&Path>,
) -> anyhow::Result<()> {
    match to {
        Some(path) => {
            let len = to_file(cx, response, path).await?;
            cx.out
                .talk(format!("wrote {} ({})", path.display(), size(len)));
            Ok(())
        }
        None if io::stdout().is_terminal() => to_terminal(cx, response).await,
        None => {
            let mut out = io::stdout().lock();
            let mut body = response.bytes_stream();
            while let Some(bytes) = body.next().await {
                out.write_all(&bytes.map_err(ClientError::from)?)?;
            }
            Ok(out.flush()?)
        }
    }
}

/// Text that a terminal can show, up to here; more belongs into a file.
const TERMINAL: usize = 1 << 20;

async fn to_terminal(cx: &Context, response: Response) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(ClientError::from)?);
        if bytes.len() > TERMINAL {
            break;
        }
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if bytes.len() <= TERMINAL => {
            let end = if text.is_empty() || text.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            cx.out.text(&format!("{}{end}", clean(text)))
        }
        _ => Err(Fault::new(
            Exit::REFUSED,
            "not_text",
            "the result is no text for a terminal",
        )
        .help("write it to a file with --to FILE, or pipe it somewhere")
        .into()),
    }
}

/// The file appears whole or not at all.
async fn to_file(cx: &Context, response: Response, path: &Path) -> anyhow::Result<u64> {
    use anyhow::Context as _;
    use std::os::unix::fs::PermissionsExt;
    let what = || format!("cannot write {}", path.display());
    let dir = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(dir)
        .with_context(what)?;
    let bar = transfer_bar(cx, response.content_length().unwrap_or(0));
    let mut len = 0;
    let mut body = response.bytes_stream();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(ClientError::from)?;
        file.write_all(&bytes).with_context(what)?;
        len += bytes.len() as u64;
        bar.set_position(len);
    }
    bar.finish_and_clear();
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(what)?;
    Ok(len)
}

/// A bar for content that takes a while; hidden for small content and off a terminal.
pub(crate) fn transfer_bar(cx: &Context, len: u64) -> ProgressBar {
    if len < 1 << 20 || cx.out.progress() != crate::output::bars::Mode::Live {
        return ProgressBar::hidden();
    }
    let template =
        "{bar:28.cyan/dim} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(len).with_style(style.progress_chars("━╸ "))
}
