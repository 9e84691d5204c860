//! The executor process: one thread, one sandbox, the runs that its supervisor
//! gives it. Holds no keys, opens no connection, decides nothing.
//!
//! The loop here reads and writes; `runs` holds what was given and begins it,
//! `outbox` what is to be said. Runs that end without ever having to wait cost
//! neither a task nor a message of their own.

mod calling;
mod driving;
mod outbox;
mod runs;

use super::ipc::{Receiver, Sender};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use runs::Executor;
use std::io;
use std::path::Path;
use std::rc::Rc;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::yield_now;
use wasmhost_proto::executor::{FromExecutor, ToExecutor};
use wasmhost_sandbox::{Controls, Root, Sandbox, Told};

/// Serves the supervisor at the other end of `stream` until it closes, or asks
/// for the end and nothing runs any more. Runs up to `slots` attempts at once, which see
/// `root` as their files.
pub(super) async fn serve(
    stream: UnixStream,
    sandbox: Sandbox,
    slots: u32,
    root: Option<Root>,
) -> io::Result<()> {
    let (from, to) = stream.into_split();
    let executor = Rc::new(Executor::new(sandbox, slots as usize, root));
    executor.say(FromExecutor::Ready);
    run(executor, Receiver::new(from), Sender::new(to)).await
}

async fn run(
    executor: Rc<Executor>,
    mut receiver: Receiver<OwnedReadHalf>,
    mut sender: Sender<OwnedWriteHalf>,
) -> io::Result<()> {
    // Polled by this loop itself, a few at a time: a runtime's tasks would keep it
    // from hearing of a kill for as many ticks as there are guests that spin.
    let mut running = FuturesUnordered::new();
    loop {
        executor.begin_some(&mut running, sender.is_empty());
        executor.collect(&mut sender)?;
        if sender.is_empty() && executor.is_over() {
            return Ok(());
        }
        tokio::select! {
            // What is done goes out before anything else begins.
            biased;
            sent = sender.write_some(), if !sender.is_empty() => sent?,
            message = receiver.next() => {
                let Some(message) = message? else {
                    return Ok(());
                };
                take(&executor, message)?;
                while let Some(message) = receiver.buffered()? {
                    take(&executor, message)?;
                }
            }
            Some((id, finished)) = running.next(), if !running.is_empty() => {
                executor.ended(id, finished);
            }
            () = executor.news.notified() => {}
            () = yield_now(), if executor.can_begin() => {}
        }
    }
}

fn take(executor: &Rc<Executor>, message: ToExecutor) -> io::Result<()> {
    match message {
        ToExecutor::Load { digest, kind, path } => {
            let error = executor.load(digest, kind, Path::new(&path)).err();
            executor.say(FromExecutor::Loaded { digest, error });
        }
        ToExecutor::Unload { digest } => executor.unload(digest),
        ToExecutor::Spec(id, spec) => executor.know(id, *spec),
        ToExecutor::Runs(runs) => {
            for run in runs {
                executor.accept(run)?;
            }
        }
        ToExecutor::InputChunk { run, bytes, last } => executor.input(run, &bytes, last),
        ToExecutor::Data { run, call, reply } => executor.answered(run, call, Told::Data(reply)),
        ToExecutor::Program { run, call, reply } => {
            executor.answered(run, call, Told::Program(reply));
        }
        ToExecutor::Bulk { run, bytes } => executor.bulk(run, bytes),
        ToExecutor::Spawned { run, key, end } => executor.spawned(run, key, end),
        ToExecutor::Request { run, request } => executor.requested(run, request),
        ToExecutor::Cancel { run } => executor.cancel(run),
        ToExecutor::Kill { run } => executor.stop(run, Controls::kill),
        ToExecutor::Return => executor.give_back(),
        ToExecutor::Careful(on) => executor.be_careful(on),
        ToExecutor::Shutdown => executor.shut_down(),
        ToExecutor::Http { run, call, reply } => executor.answered(run, call, Told::Http(reply)),
    }
    Ok(())
}
