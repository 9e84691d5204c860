//! One running program: started under a guard in a folder of its own, fed, listened to and
//! ended. What it says is kept, within its bound, until the guest takes it: a program whose
//! guest only writes does not get stuck.

use super::super::driver::Cause;
use super::super::runs::Key;
use super::offer::Offer;
use crate::executor::guard::{self, Bounds};
use crate::executor::process::{Process, describe};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use wasmhost_proto::limits::{MAX_PROGRAM_CHUNK, MAX_PROGRAM_READ_MS};
use wasmhost_proto::program::{ProgramEnd, ProgramRefusal, ProgramReply, ProgramSaid};

/// Bytes read from a program at once.
const PIECE: usize = 64 << 10;

/// A program to start.
pub(super) struct Setup {
    pub(super) offer: Arc<Offer>,
    pub(super) args: Vec<String>,
    /// Its folder, made and removed here.
    pub(super) dir: PathBuf,
    pub(super) host: PathBuf,
    pub(super) number: u32,
    pub(super) key: Key,
    pub(super) causes: mpsc::Sender<Cause>,
}

impl Setup {
    async fn reply(&self, call: u64, reply: ProgramReply) {
        let cause = Cause::Programmed(self.key, call, reply);
        let _ = self.causes.send(cause).await;
    }
}

/// What the guest wants of it; each has the number of its call.
pub(super) enum Command {
    Write(u64, Vec<u8>),
    Close(u64),
    Read(u64, u64),
    Kill(u64),
}

/// Runs a program to its end, which is when the guest has read its end, or is gone.
pub(super) async fn run(setup: Setup, call: u64, mut commands: mpsc::Receiver<Command>) {
    let permit = tokio::select! {
        permit = setup.offer.permits.clone().acquire_owned() => permit,
        // The guest waits for the start: this is its end.
        _ = commands.recv() => return,
    };
    match Running::start(&setup).await {
        Ok(mut running) => {
            setup.reply(call, ProgramReply::Started(setup.number)).await;
            running.serve(&setup, &mut commands).await;
            running.end().await;
        }
        Err(error) => {
            let why = format!("the program could not be started: {error}");
            let reply = ProgramReply::Refused(ProgramRefusal::Failed, why);
            setup.reply(call, reply).await;
        }
    }
    if let Err(error) = std::fs::remove_dir_all(&setup.dir) {
        tracing::warn!(path = %setup.dir.display(), "cannot remove a program's folder: {error}");
    }
    drop(permit);
}

struct Running {
    process: Process,
    stdin: Option<Sender>,
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    /// What it has said and the guest has not taken: output, error.
    said: [Vec<u8>; 2],
    /// Bytes that it may still say.
    room: u64,
    /// Why it was ended, if it was.
    verdict: Option<String>,
    end: Option<ProgramEnd>,
    due: Instant,
}

/// What the guest waits for.
#[derive(Default)]
struct Waiting {
    /// To be written: the call, the bytes and how many are.
    write: Option<(u64, Vec<u8>, usize)>,
    /// The call, and until when.
    read: Option<(u64, Instant)>,
}

impl Running {
    async fn start(setup: &Setup) -> io::Result<Running> {
        let offer = &setup.offer;
        std::fs::create_dir_all(&setup.dir)?;
        let bounds = Bounds {
            memory: offer.memory,
            cpu_ms: offer.cpu_ms,
        };
        let (stdin, our_stdin) = io::pipe()?;
        let (our_stdout, stdout) = io::pipe()?;
        let (our_stderr, stderr) = io::pipe()?;
        let mut command = guard::command(&setup.host, &bounds, &offer.path);
        command
            .args(&offer.args)
            .args(&setup.args)
            .env_clear()
            .envs(&offer.env)
            .current_dir(&setup.dir)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr);
        Ok(Running {
            process: Process::spawn_orderly(command).await?,
            stdin: Some(Sender::from_owned_fd(OwnedFd::from(our_stdin))?),
            stdout: Some(Receiver::from_owned_fd(OwnedFd::from(our_stdout))?),
            stderr: Some(Receiver::from_owned_fd(OwnedFd::from(our_stderr))?),
            said: Default::default(),
            room: offer.output,
            verdict: None,
            end: None,
            due: Instant::now() + Duration::from_millis(offer.wall_ms),
        })
    }

    /// Serves the guest until it has read the end or is gone.
    async fn serve(&mut self, setup: &Setup, commands: &mut mpsc::Receiver<Command>) {
        let mut waiting = Waiting::default();
        let (mut out, mut err) = (vec![0; PIECE], vec![0; PIECE]);
        loop {
            if let Some((call, until)) = waiting.read
                && let Some(reply) = self.next(until)
            {
                waiting.read = None;
                let over = reply.end.is_some();
                setup.reply(call, ProgramReply::Said(reply)).await;
                if over {
                    return;
                }
            }
            if self.end.is_some()
                && let Some((call, ..)) = waiting.write.take()
            {
                setup.reply(call, ProgramReply::Done).await;
            }
            let until = waiting.read.map(|(_, until)| until);
            tokio::select! {
                read = piece(&mut self.stdout, &mut out) => self.heard(read, &out, 0),
                read = piece(&mut self.stderr, &mut err) => self.heard(read, &err, 1),
                ended = self.process.wait(), if self.end.is_none() => self.ended(ended.map(|o| o.status)),
                fed = feed(&mut self.stdin, &mut waiting.write) => {
                    if let Some(call) = fed {
                        setup.reply(call, ProgramReply::Done).await;
                    }
                }
                () = sleep_until(self.due), if self.end.is_none() && self.verdict.is_none() => {
                    self.stop(format!("passed its time limit of {} ms", setup.offer.wall_ms));
                }
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
                command = commands.recv() => match command {
                    None => return,
                    Some(Command::Write(call, bytes)) => waiting.write = Some((call, bytes, 0)),
                    Some(Command::Read(call, ms)) => {
                        let time = Duration::from_millis(ms.min(MAX_PROGRAM_READ_MS));
                        waiting.read = Some((call, Instant::now() + time));
                    }
                    Some(Command::Close(call)) => {
                        self.stdin = None;
                        setup.reply(call, ProgramReply::Done).await;
                    }
                    Some(Command::Kill(call)) => {
                        self.stop("was killed by its task".into());
                        setup.reply(call, ProgramReply::Done).await;
                    }
                },
            }
        }
    }

    /// What a read gets now, if anything.
    fn next(&mut self, until: Instant) -> Option<ProgramSaid> {
        let [stdout, stderr] = self.said.each_mut().map(take);
        let streams = self.stdout.is_none() && self.stderr.is_none();
        let all = streams && self.said.iter().all(Vec::is_empty);
        let end = self.end.clone().filter(|_| all);
        let nothing = stdout.is_empty() && stderr.is_empty() && end.is_none();
        let said = ProgramSaid {
            stdout,
            stderr,
            end,
        };
        (!nothing || Instant::now() >= until).then_some(said)
    }

    /// Keeps what it said on one of its streams.
    fn heard(&mut self, read: io::Result<usize>, bytes: &[u8], stream: usize) {
        let len = read.unwrap_or(0);
        if len == 0 {
            match stream {
                0 => self.stdout = None,
                _ => self.stderr = None,
            }
            return;
        }
        let kept = len.min(usize::try_from(self.room).unwrap_or(usize::MAX));
        self.room -= kept as u64;
        self.said[stream].extend_from_slice(&bytes[..kept]);
        if kept < len {
            self.stop("wrote more than its output may have".into());
        }
    }

    fn ended(&mut self, ended: io::Result<std::process::ExitStatus>) {
        self.stdin = None;
        self.end = Some(match (self.verdict.take(), ended) {
            (Some(why), _) => ProgramEnd { code: None, why },
            (None, Ok(status)) => ProgramEnd {
                code: status.code(),
                why: describe(status),
            },
            (None, Err(error)) => ProgramEnd {
                code: None,
                why: format!("cannot be waited for: {error}"),
            },
        });
    }

    fn stop(&mut self, why: String) {
        self.verdict.get_or_insert(why);
        self.process.kill();
    }

    /// Ends it, if it still runs, and all that it has started.
    async fn end(mut self) {
        if self.end.is_none() {
            self.process.kill();
            let _ = self.process.wait().await;
        }
    }
}

/// Takes the first of what was said.
fn take(said: &mut Vec<u8>) -> Vec<u8> {
    let rest = said.split_off(said.len().min(MAX_PROGRAM_CHUNK));
    std::mem::replace(said, rest)
}

/// Reads from a stream that is open; else never ends.
async fn piece(stream: &mut Option<Receiver>, buffer: &mut [u8]) -> io::Result<usize> {
    match stream {
        Some(stream) => read(stream, buffer).await,
        None => std::future::pending().await,
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut [u8]) -> io::Result<usize> {
    stream.read(buffer).await
}

/// Writes what is to be written; else never ends. The call when all of it is, or when the
/// program takes no more.
async fn feed(
    stdin: &mut Option<Sender>,
    write: &mut Option<(u64, Vec<u8>, usize)>,
) -> Option<u64> {
    let Some((call, bytes, written)) = write else {
        return std::future::pending().await;
    };
    let call = *call;
    let more = match stdin {
        Some(stdin) => stdin.write(&bytes[*written..]).await.unwrap_or(0),
        None => 0,
    };
    *written += more;
    if more == 0 || *written == bytes.len() {
        *write = None;
        return Some(call);
    }
    None
}
