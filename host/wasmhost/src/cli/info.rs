//! `wasmhost info`

use super::context::Context;
use super::exit::Exit;
use crate::output::human::{count, duration, number, size};
use wasmhost_proto::api::Info;

pub(crate) async fn run(cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let info = client.info().await?;
    cx.out.answer(
        &info,
        |info| info.cluster.clone(),
        |info| text(info, client.addr()),
    )?;
    Ok(Exit::OK)
}

fn text(info: &Info, addr: &str) -> String {
    format!(
        "primary of cluster {} at {addr}, version {}, term {}, up {}\n\
         workers join at {} (UDP): {} with {}, {} % busy\n\
         {}: {} waiting, {} running\n\
         {} ({}), {}\n",
        info.cluster,
        info.version,
        info.term,
        duration(info.now.since(info.started)),
        info.worker_address,
        count(info.workers.into(), "worker"),
        count(info.slots.into(), "slot"),
        info.load_percent,
        count(info.live_jobs, "live job"),
        count(info.waiting_tasks, "task"),
        number(info.running_tasks),
        count(info.modules, "module"),
        size(info.modules_bytes),
        count(info.definitions, "definition"),
    )
}
