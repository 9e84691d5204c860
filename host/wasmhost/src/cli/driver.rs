//! `wasmhost driver`: what the primary was started with `--driver`, and who waits for it.

use super::context::Context;
use super::exit::Exit;
use crate::output::human::{clean, count};
use wasmhost_proto::api::DriverView;

pub(crate) async fn run(cx: &Context) -> anyhow::Result<Exit> {
    let view = cx.client().await?.driver().await?;
    let name = |view: &DriverView| view.name.clone().unwrap_or_default();
    cx.out.answer(&view, name, text)?;
    Ok(Exit::OK)
}

/// One line, or two when something is wrong.
pub(crate) fn text(view: &DriverView) -> String {
    let waiting = count(view.waiting, "request");
    match (&view.name, &view.error, &view.definition) {
        (None, ..) => "no driver: see `wasmhost run-primary --driver NAME`\n".into(),
        (Some(name), Some(error), _) => format!(
            "driver {} cannot be loaded, and requests are refused\n  {}\n",
            clean(name),
            clean(error)
        ),
        (Some(name), None, None) => format!("driver {} is not loaded yet\n", clean(name)),
        (Some(_), None, Some(definition)) => {
            let job = match view.job {
                Some(job) => format!("as job {job}"),
                None => "between two starts".into(),
            };
            let tasks = view.tasks.join(", ");
            format!("driver {definition} {job}, starts {tasks}: {waiting} waiting\n")
        }
    }
}
