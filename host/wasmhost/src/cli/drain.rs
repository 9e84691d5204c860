//! `wasmhost drain WORKER`

use super::context::Context;
use super::exit::{Exit, Fault};
use super::signals;
use crate::client::Client;
use crate::output::human::count;
use crate::output::style::Named;
use std::time::Duration;
use wasmhost_proto::api::{WorkerState, WorkerView};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// A worker's name, id, or unique prefix of its id
    worker: String,
    /// Let it take work again
    #[arg(long)]
    off: bool,
    /// Wait until nothing is left on it
    #[arg(long, conflicts_with = "off")]
    wait: bool,
}

/// Between two looks at a draining worker.
const LOOK: Duration = Duration::from_millis(300);

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let mut worker = client.drain(&args.worker, !args.off).await?;
    if args.wait {
        cx.out.talk(format!(
            "{} finishes {}",
            worker.name,
            count(worker.running.into(), "task")
        ));
        tokio::select! {
            drained = until_drained(&client, &worker) => worker = drained?,
            interrupted = signals::interrupted() => {
                interrupted?;
                cx.out.talk("it goes on draining; `wasmhost workers` shows it");
                return Ok(Exit::INTERRUPTED);
            }
        }
    }
    cx.out.answer(
        &worker,
        |w| w.id.to_string(),
        |w| format!("{} {} {}", w.id, w.name, w.state.painted()),
    )?;
    Ok(Exit::OK)
}

async fn until_drained(client: &Client, worker: &WorkerView) -> anyhow::Result<WorkerView> {
    loop {
        let now = client
            .workers()
            .await?
            .items
            .into_iter()
            .find(|w| w.id == worker.id);
        match now {
            Some(now) if matches!(now.state, WorkerState::Drained | WorkerState::Gone) => {
                return Ok(now);
            }
            Some(now) if now.state == WorkerState::Up => {
                let title = format!("somebody lets {} take work again", now.name);
                return Err(Fault::new(Exit::REFUSED, "not_draining", title).into());
            }
            Some(_) => tokio::time::sleep(LOOK).await,
            None => {
                let title = format!("the worker {} is not known any more", worker.name);
                return Err(Fault::new(Exit::NOT_FOUND, "not_found", title).into());
            }
        }
    }
}
