//! One long-running process with a log file, killed when it is dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Waits until `probe` gives a value, and explains itself when it never does.
///
/// # Panics
/// After `limit`, with what was waited for and what `explain` adds.
pub fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Option<T>,
    explain: impl Fn() -> String,
) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(
            Instant::now() < end,
            "waited {limit:?} for {what}\n{}",
            explain()
        );
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// A process of the product.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with both outputs appended to `DIR/NAME.log`.
    pub fn start(name: &str, dir: &Path, command: &mut Command) -> Process {
        let log = dir.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("the process starts");
        Process {
            name: name.into(),
            child,
            log,
        }
    }

    /// The operating system's number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed up to now.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The log's last lines under the process's name, for failures.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        format!(
            "--- {} ---\n{}\n",
            self.name,
            lines[lines.len().saturating_sub(30)..].join("\n")
        )
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    /// SIGTERM, and the exit code within the limit.
    pub fn terminate(&mut self, limit: Duration) -> Option<i32> {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                .expect("it can be signalled");
        }
        let log = self.log.clone();
        let child = &mut self.child;
        wait_until(
            "a process to end after SIGTERM",
            limit,
            || child.try_wait().expect("it can be waited for"),
            || std::fs::read_to_string(&log).unwrap_or_default(),
        )
        .code()
    }

    /// The numbers of its direct children whose command line has `word`.
    pub fn children(&self, word: &str) -> Vec<u32> {
        let path = format!("/proc/{0}/task", self.pid());
        let tasks = std::fs::read_dir(path).into_iter().flatten().flatten();
        tasks
            .flat_map(|t| {
                std::fs::read_to_string(t.path().join("children"))
                    .unwrap_or_default()
                    .split_whitespace()
                    .filter_map(|p| p.parse().ok())
                    .collect::<Vec<u32>>()
            })
            .filter(|pid| {
                std::fs::read(format!("/proc/{pid}/cmdline"))
                    .is_ok_and(|line| String::from_utf8_lossy(&line).contains(word))
            })
            .collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.alive() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
