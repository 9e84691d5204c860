//! The executor process: one thread, one sandbox, the runs that its supervisor
//! gives it. Holds no keys, opens no connection, decides nothing.

use super::ipc::{Receiver, Sender};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Notify, mpsc};
use tokio::task::LocalSet;
use wasmhost_proto::Digest;
use wasmhost_proto::executor::{Ended, FromExecutor, Run, RunId, ToExecutor};
use wasmhost_proto::limits::{BLOB_CHUNK, MAX_BATCH, MAX_BLOB, MAX_EXECUTOR_QUEUE};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::status::Status;
use wasmhost_sandbox::{Attempt, Controls, Finished, Program, Reporter, Sandbox};

/// Serves the supervisor at the other end of `stream` until it closes, or asks
/// for the end and nothing runs any more.
pub(super) async fn serve(stream: UnixStream, sandbox: Sandbox) -> io::Result<()> {
    let (from, to) = stream.into_split();
    let (out, outbox) = mpsc::channel(MAX_EXECUTOR_QUEUE);
    let executor = Rc::new(Executor {
        sandbox,
        programs: RefCell::default(),
        runs: RefCell::default(),
        ended: Notify::new(),
        out,
    });
    let serve = async {
        let mut writer = pin!(write(Sender::new(to), outbox));
        tokio::select! {
            end = read(executor, Receiver::new(from)) => match end? {
                ReadEnd::Closed => Ok(()),
                // Nothing runs and all senders are gone: the rest goes out.
                ReadEnd::Shutdown => writer.await,
            },
            result = &mut writer => result,
        }
    };
    LocalSet::new().run_until(serve).await
}

enum ReadEnd {
    Closed,
    Shutdown,
}

async fn write(
    mut sender: Sender<OwnedWriteHalf>,
    mut outbox: mpsc::Receiver<FromExecutor>,
) -> io::Result<()> {
    let mut batch = Vec::new();
    while outbox.recv_many(&mut batch, MAX_BATCH).await > 0 {
        for message in batch.drain(..) {
            sender.push(&message).map_err(io::Error::other)?;
            if sender.is_full() {
                sender.flush().await?;
            }
        }
        sender.flush().await?;
    }
    Ok(())
}

async fn read(
    executor: Rc<Executor>,
    mut receiver: Receiver<OwnedReadHalf>,
) -> io::Result<ReadEnd> {
    executor.send(FromExecutor::Ready).await?;
    let mut shutdown = false;
    while !(shutdown && executor.runs.borrow().is_empty()) {
        let message = tokio::select! {
            message = receiver.next() => message?,
            () = executor.ended.notified(), if shutdown => continue,
        };
        let Some(message) = message else {
            return Ok(ReadEnd::Closed);
        };
        match message {
            ToExecutor::Load { digest, kind, path } => {
                let error = executor.load(digest, kind, Path::new(&path)).err();
                executor
                    .send(FromExecutor::Loaded { digest, error })
                    .await?;
            }
            ToExecutor::Unload { digest } => {
                executor.programs.borrow_mut().remove(&digest);
            }
            ToExecutor::Run(run) => executor.accept(*run)?,
            ToExecutor::InputChunk { run, bytes, last } => executor.input(run, &bytes, last),
            ToExecutor::Cancel { run } => executor.control(run, Controls::cancel),
            ToExecutor::Kill { run } => executor.kill(run).await?,
            ToExecutor::Shutdown => shutdown = true,
        }
    }
    Ok(ReadEnd::Shutdown)
}

struct Executor {
    sandbox: Sandbox,
    programs: RefCell<HashMap<Digest, Result<Program, String>>>,
    runs: RefCell<HashMap<RunId, Accepted>>,
    ended: Notify,
    out: mpsc::Sender<FromExecutor>,
}

/// A run whose end has not been sent.
struct Accepted {
    controls: Controls,
    /// The run while its input is still coming.
    waiting: Option<Box<Run>>,
}

impl Executor {
    async fn send(&self, message: FromExecutor) -> io::Result<()> {
        self.out.send(message).await.map_err(io::Error::other)
    }

    fn load(&self, digest: Digest, kind: ModuleKind, path: &Path) -> Result<(), String> {
        let loaded = self.sandbox.load(path, kind).map_err(|e| e.to_string());
        let result = loaded.as_ref().map(|_| ()).map_err(String::clone);
        self.programs.borrow_mut().insert(digest, loaded);
        result
    }

    fn accept(self: &Rc<Self>, run: Run) -> io::Result<()> {
        let accepted = Accepted {
            controls: Controls::default(),
            waiting: None,
        };
        if self.runs.borrow_mut().insert(run.run, accepted).is_some() {
            return Err(io::Error::other(format!("run {} was sent twice", run.run)));
        }
        if run.more_input {
            if let Some(accepted) = self.runs.borrow_mut().get_mut(&run.run) {
                accepted.waiting = Some(Box::new(run));
            }
        } else {
            self.start(run);
        }
        Ok(())
    }

    /// Input of a run that was killed meanwhile is dropped.
    fn input(self: &Rc<Self>, id: RunId, bytes: &[u8], last: bool) {
        let mut runs = self.runs.borrow_mut();
        let Some(accepted) = runs.get_mut(&id) else {
            return;
        };
        let Some(run) = &mut accepted.waiting else {
            return;
        };
        run.input.extend_from_slice(bytes);
        if (last || run.input.len() as u64 > MAX_BLOB)
            && let Some(run) = accepted.waiting.take()
        {
            drop(runs);
            self.start(*run);
        }
    }

    fn control(&self, run: RunId, act: impl FnOnce(&Controls)) {
        if let Some(accepted) = self.runs.borrow().get(&run) {
            act(&accepted.controls);
        }
    }

    async fn kill(&self, id: RunId) -> io::Result<()> {
        self.control(id, Controls::kill);
        let waiting = match self.runs.borrow_mut().get_mut(&id) {
            Some(accepted) => accepted.waiting.take(),
            None => None,
        };
        match waiting {
            Some(_) => {
                let failure = Failure::new(FailureKind::Cancelled, "stopped before it began");
                self.end(id, failed(failure)).await
            }
            None => Ok(()),
        }
    }

    fn start(self: &Rc<Self>, run: Run) {
        let Some(controls) = self.runs.borrow().get(&run.run).map(|r| r.controls.clone()) else {
            return;
        };
        let executor = self.clone();
        tokio::task::spawn_local(async move {
            let id = run.run;
            let finished = executor.run(run, controls).await;
            // It fails only when the supervisor is gone, and then all ends.
            let _ = executor.end(id, finished).await;
        });
    }

    async fn run(&self, run: Run, controls: Controls) -> Finished {
        let program = self.programs.borrow().get(&run.module).cloned();
        let program = match program {
            Some(Ok(program)) => program,
            Some(Err(reason)) => return failed(Failure::new(FailureKind::HostFault, reason)),
            None => {
                let message = format!("module {} is not loaded", run.module);
                return failed(Failure::new(FailureKind::HostFault, message));
            }
        };
        let reporter = Outlet {
            run: run.run,
            out: self.out.clone(),
        };
        let attempt = Attempt {
            task: run.task,
            lease: run.lease,
            name: run.name,
            count: run.count,
            args: run.args,
            env: run.env,
            limits: run.limits,
            input: run.input,
        };
        self.sandbox
            .run(&program, attempt, controls, reporter)
            .await
    }

    /// Sends the end of a run, a large output in pieces before it.
    async fn end(&self, run: RunId, finished: Finished) -> io::Result<()> {
        let mut output = finished.output;
        if output.len() > BLOB_CHUNK {
            for chunk in output.chunks(BLOB_CHUNK) {
                let bytes = chunk.to_vec();
                self.send(FromExecutor::OutputChunk { run, bytes }).await?;
            }
            output.clear();
        }
        let ended = Ended {
            run,
            failure: finished.failure,
            output,
            usage: finished.usage,
            status: finished.status,
            log: finished.log,
        };
        self.send(FromExecutor::Ended(Box::new(ended))).await?;
        self.runs.borrow_mut().remove(&run);
        self.ended.notify_one();
        Ok(())
    }
}

fn failed(failure: Failure) -> Finished {
    Finished {
        failure: Some(failure),
        output: Vec::new(),
        usage: Default::default(),
        status: Status::default(),
        log: String::new(),
    }
}

/// Sends what a run publishes. Reports wait while the supervisor is behind.
struct Outlet {
    run: RunId,
    out: mpsc::Sender<FromExecutor>,
}

impl Reporter for Outlet {
    fn started(&self) {
        // Without room the end will tell soon enough.
        let _ = self.out.try_send(FromExecutor::Started { run: self.run });
    }

    fn ready(&self) -> bool {
        self.out.capacity() > 0
    }

    fn published(&self, status: Status, log: String) {
        let run = self.run;
        let sent = self.out.try_send(FromExecutor::Status { run, status, log });
        debug_assert!(sent.is_ok(), "one thread: room was seen by `ready`");
    }
}
