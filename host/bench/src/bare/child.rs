//! Limits that need processes of their own: this program, started again.
//! A process per core loops without its neighbours' memory map; memory is
//! measured where nothing was before.

use super::{Bare, cores, plain, resident};
use crate::place::{Folder, Place};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use wasmhost_paths::cluster::{Cluster, Side};
use wasmhost_paths::{Meter, plans};

/// The first argument of such a process.
const CHILD: &str = "--child";
/// The guest's file.
const MODULE: &str = "bare.wasm";
/// For the pool, the caches and the clock of the processor.
const WARM_UP: Duration = Duration::from_millis(200);
/// Tasks whose memory is measured.
const QUEUED: u32 = 10_000_000;

/// Looping processes, one for each core, that wait to be told to run.
pub(crate) struct Loops(Vec<Looping>);

struct Looping {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Loops {
    /// Starts them and waits until each has compiled and warmed up. Each run
    /// gets `input` bytes of input.
    pub(crate) fn start(place: &Place, wasm: &[u8], input: usize) -> Result<Loops> {
        let folder = place.folder()?;
        let module = folder.path().join(MODULE);
        fs::write(&module, wasm).context("cannot write the module of the bare loop")?;
        let start = || -> Result<Looping> {
            let mut child = Command::new(std::env::current_exe()?)
                .args([CHILD, "loop"])
                .arg(&module)
                .arg(input.to_string())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("cannot start a process for the bare loop")?;
            let orders = child.stdin.take().context("no way into the bare loop")?;
            let answers = child.stdout.take().context("no way out of the bare loop")?;
            let answers = BufReader::new(answers);
            Ok(Looping {
                child,
                orders,
                answers,
            })
        };
        let mut loops = Loops((0..cores()).map(|_| start()).collect::<Result<_>>()?);
        for looping in &mut loops.0 {
            looping.answer()?;
        }
        Ok(loops)
    }

    /// Lets all run for `time` at once; runs per second in sum.
    pub(crate) fn rate(&mut self, time: Duration) -> Result<f64> {
        for looping in &mut self.0 {
            writeln!(looping.orders, "{}", time.as_millis())?;
            looping.orders.flush()?;
        }
        self.0.iter_mut().map(Looping::answer).sum()
    }
}

impl Looping {
    fn answer(&mut self) -> Result<f64> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer = line.trim().parse();
        answer.with_context(|| format!("the bare loop said '{}'", line.trim()))
    }
}

impl Drop for Looping {
    fn drop(&mut self) {
        // It is in a read or in a short loop: nothing of it is worth keeping.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A guest whose live instances are measured, in a process of their own.
pub(crate) struct Slots {
    folder: Folder,
}

impl Slots {
    /// Puts `wasm`, a task that takes null, where the process finds it.
    pub(crate) fn new(place: &Place, wasm: &[u8]) -> Result<Slots> {
        let folder = place.folder()?;
        fs::write(folder.path().join(MODULE), wasm).context("cannot write a module")?;
        Ok(Slots { folder })
    }

    /// Resident bytes of one live instance that has run, of so many.
    pub(crate) fn bytes(&self, instances: u32) -> Result<f64> {
        let module = self.folder.path().join(MODULE);
        let number = instances.to_string();
        ask(&["slots", &module.to_string_lossy(), &number])
    }
}

/// Resident bytes of the core for each queued task of an array of [`QUEUED`].
pub(crate) fn queued_bytes() -> Result<f64> {
    ask(&["queued"])
}

fn ask(words: &[&str]) -> Result<f64> {
    let output = Command::new(std::env::current_exe()?)
        .arg(CHILD)
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start a process to measure in")?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    text.trim().parse().context("it gave no number")
}

/// Does a child's work when `words` (without the program) are a child's.
pub(crate) fn as_child(words: &[String]) -> Option<Result<()>> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Some(match words.as_slice() {
        [CHILD, "loop", module, input] => run_loop(module, input),
        [CHILD, "slots", module, instances] => print_slots(module, instances),
        [CHILD, "queued"] => print_queued(),
        [CHILD, ..] => Err(anyhow::anyhow!("no child does {words:?}")),
        _ => return None,
    })
}

fn run_loop(module: &str, input: &str) -> Result<()> {
    let bare = Bare::new(&fs::read(module)?, 16)?;
    let input = vec![b'1'; input.parse()?];
    bare.rate(&input, WARM_UP)?;
    let mut out = std::io::stdout();
    writeln!(out, "0")?;
    for line in std::io::stdin().lines() {
        let time = Duration::from_millis(line?.parse()?);
        writeln!(out, "{}", bare.rate(&input, time)?)?;
        out.flush()?;
    }
    Ok(())
}

/// A first instance tells what all share from what each takes.
fn print_slots(module: &str, instances: &str) -> Result<()> {
    let instances: u32 = instances.parse()?;
    let bare = Bare::new(&fs::read(module)?, instances + 1)?;
    let live = || bare.live().map_err(plain);
    let first = live()?;
    let before = resident()?;
    let all: Vec<_> = (0..instances).map(|_| live()).collect::<Result<_>>()?;
    let each = (resident()? - before) / f64::from(instances);
    drop((first, all));
    println!("{each}");
    Ok(())
}

/// Nobody works: the array waits as it was submitted.
fn print_queued() -> Result<()> {
    let mut cluster = Cluster::new(0, 1);
    let before = resident()?;
    cluster.submit(plans::array(QUEUED), Side::Primary, &mut Meter::default());
    let each = (resident()? - before).max(0.0) / f64::from(QUEUED);
    drop(cluster);
    println!("{each}");
    Ok(())
}
