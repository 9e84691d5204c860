//! `wasmhost workers`

use super::context::Context;
use super::exit::Exit;
use crate::output::lists;

pub(crate) async fn run(cx: &Context) -> anyhow::Result<Exit> {
    let page = cx.client().await?.workers().await?;
    cx.out.answer(
        &page,
        |page| page.items.iter().map(|w| format!("{}\n", w.id)).collect(),
        lists::workers,
    )?;
    Ok(Exit::OK)
}
