//! Programs of this machine that attempts were granted: who may start which, with what, and
//! whose each running one is. What was refused is told to the guest and to the audit log.

mod offer;
mod run;

use super::driver::Cause;
use super::runs::Key;
use crate::executor::ProgramCall;
use crate::settings::file::ProgramFile;
use anyhow::Context as _;
use offer::Offer;
use run::{Command, Setup};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use wasmhost_proto::grants::GrantKind;
use wasmhost_proto::limits::MAX_OPEN_PROGRAMS;
use wasmhost_proto::program::{ProgramOp, ProgramRefusal, ProgramReply};

/// Commands that a program has not taken: its guest makes one call at a time.
const COMMANDS: usize = 4;

/// All programs of a worker.
pub(super) struct Programs {
    offers: BTreeMap<String, Arc<Offer>>,
    live: HashMap<Key, Attempt>,
    /// Each program has a folder in it.
    dir: PathBuf,
    folders: u64,
    /// This executable.
    host: PathBuf,
    causes: mpsc::Sender<Cause>,
    tasks: TaskTracker,
}

/// What an attempt has started. Its programs end when this is dropped.
#[derive(Default)]
struct Attempt {
    last: u32,
    open: BTreeMap<u32, Open>,
}

struct Open {
    name: String,
    commands: mpsc::Sender<Command>,
}

type Refused = (ProgramRefusal, String);

impl Programs {
    /// Reads what the settings offer, and empties the folder of their scratch folders.
    ///
    /// # Errors
    /// An offer that is none, or a folder that cannot be made.
    pub(super) fn open(
        files: &BTreeMap<String, ProgramFile>,
        dir: &Path,
        host: PathBuf,
        causes: mpsc::Sender<Cause>,
    ) -> anyhow::Result<Programs> {
        let read = |(name, file): (&String, &ProgramFile)| {
            Ok((name.clone(), Arc::new(Offer::read(name, file)?)))
        };
        let offers = files.iter().map(read).collect::<anyhow::Result<_>>()?;
        if dir.exists() {
            std::fs::remove_dir_all(dir)
                .with_context(|| format!("cannot empty {}", dir.display()))?;
        }
        Ok(Programs {
            offers,
            live: HashMap::new(),
            dir: dir.to_owned(),
            folders: 0,
            host,
            causes,
            tasks: TaskTracker::new(),
        })
    }

    /// What the primary is told of them.
    pub(super) fn offers(&self) -> Vec<String> {
        self.offers.keys().cloned().collect()
    }

    /// Carries out a call. What it comes to, if that is known at once; else it comes as a
    /// [`Cause::Programmed`].
    pub(super) fn call(&mut self, call: ProgramCall) -> Option<ProgramReply> {
        let key = (call.task, call.lease);
        let asked = match call.op {
            ProgramOp::Start { name, args } => {
                let granted = call.spec.grants.as_deref();
                let granted = granted.is_some_and(|g| g.has(GrantKind::Program, &name));
                self.start(key, call.call, &name, args, granted)
            }
            ProgramOp::Write { program, bytes } => {
                self.tell(key, program, Command::Write(call.call, bytes))
            }
            ProgramOp::Close { program } => self.tell(key, program, Command::Close(call.call)),
            ProgramOp::Read {
                program,
                timeout_ms,
            } => self.tell(key, program, Command::Read(call.call, timeout_ms)),
            ProgramOp::Kill { program } => self.tell(key, program, Command::Kill(call.call)),
        };
        let (refusal, why) = asked.err()?;
        if refusal == ProgramRefusal::NotGranted {
            tracing::warn!(target: "audit", task = %key.0, attempt = key.1.attempt, "refused a program: {why}");
        }
        Some(ProgramReply::Refused(refusal, why))
    }

    fn start(
        &mut self,
        key: Key,
        call: u64,
        name: &str,
        args: Vec<String>,
        granted: bool,
    ) -> Result<(), Refused> {
        if !granted {
            let why = format!(
                "the task does not ask for the program '{name}': its definition says so with \
                 `programs = [\"{name}\"]`"
            );
            return Err((ProgramRefusal::NotGranted, why));
        }
        // The primary gives the task to none that does not offer it.
        let Some(offer) = self.offers.get(name) else {
            let why = format!("this worker does not offer the program '{name}' any more");
            return Err((ProgramRefusal::NotGranted, why));
        };
        if let Some(arg) = offer.refused(&args) {
            let why = format!("the program '{name}' may not be given the argument {arg:?} here");
            return Err((ProgramRefusal::NotGranted, why));
        }
        let attempt = self.live.entry(key).or_default();
        attempt.open.retain(|_, open| !open.commands.is_closed());
        let own = attempt.open.values().filter(|open| open.name == name);
        let why = if attempt.open.len() >= MAX_OPEN_PROGRAMS {
            Some(format!(
                "{MAX_OPEN_PROGRAMS} programs are open, and no more may be: read their ends"
            ))
        } else if offer.permits.available_permits() == 0 && own.count() > 0 {
            // Waiting for itself would never end.
            Some(format!(
                "as many of '{name}' run as may, and one of them is this task's"
            ))
        } else {
            None
        };
        if let Some(why) = why {
            return Err((ProgramRefusal::Invalid, why));
        }
        attempt.last += 1;
        self.folders += 1;
        let (commands, queue) = mpsc::channel(COMMANDS);
        let setup = Setup {
            offer: offer.clone(),
            args,
            dir: self.dir.join(self.folders.to_string()),
            host: self.host.clone(),
            number: attempt.last,
            key,
            causes: self.causes.clone(),
        };
        tracing::info!(target: "audit", task = %key.0, attempt = key.1.attempt, program = name, args = ?setup.args, "starts a program");
        self.tasks.spawn(run::run(setup, call, queue));
        let name = name.to_owned();
        attempt.open.insert(attempt.last, Open { name, commands });
        Ok(())
    }

    fn tell(&mut self, key: Key, program: u32, command: Command) -> Result<(), Refused> {
        let attempt = self.live.get(&key);
        let open = attempt.and_then(|attempt| attempt.open.get(&program));
        let told = open.map(|open| open.commands.try_send(command));
        match told {
            Some(Ok(())) => Ok(()),
            _ => {
                let why = format!("there is no program {program}, or its end was read");
                Err((ProgramRefusal::Invalid, why))
            }
        }
    }

    /// An attempt is over, and so are its programs.
    pub(super) fn ended(&mut self, key: Key) {
        if !self.live.is_empty() {
            self.live.remove(&key);
        }
    }

    /// Ends all programs.
    pub(super) async fn shutdown(mut self, grace: Duration) {
        self.live.clear();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("programs did not end within {grace:?}");
        }
    }
}
