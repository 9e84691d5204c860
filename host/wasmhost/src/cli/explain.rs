//! `wasmhost explain FILE|NAME`: what would run, in full, without running it.

use super::check;
use super::context::Context;
use super::exit::Exit;
use crate::output::explain;

pub(crate) async fn run(args: check::Args, cx: &Context) -> anyhow::Result<Exit> {
    let looked = args.look(cx).await?;
    cx.out
        .answer(&looked.view, |view| view.name.clone(), explain::text)?;
    if let Some(unchecked) = looked.unchecked {
        cx.out.talk(unchecked);
    }
    Ok(Exit::OK)
}
