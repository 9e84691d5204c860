//! A primary and two workers as separate processes, with a data folder below
//! `target/` of their own, and jobs for them. What they say goes to log files.

use crate::ports::free_port;
use crate::repository::Repository;
use crate::steps;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Lines of a log that explain a failure.
const TAIL: usize = 20;
const WORKERS: [&str; 2] = ["left", "right"];

/// The processes. They end when this does.
pub(crate) struct Cluster {
    wasmhost: PathBuf,
    dir: PathBuf,
    api: String,
    processes: Vec<Process>,
}

struct Process {
    name: String,
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing of a demonstration is worth an orderly end; executors die with their worker.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Cluster {
    /// Starts them with their data in the folder `name` of the target folder, and waits
    /// until both workers are there.
    pub(crate) fn start(repository: &Repository, name: &str) -> Result<Cluster> {
        let dir = repository.target.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot empty {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let http = format!("127.0.0.1:{}", free_port());
        let link = format!("127.0.0.1:{}", free_port());
        let mut cluster = Cluster {
            wasmhost: repository.wasmhost(),
            api: format!("http://{http}"),
            dir,
            processes: Vec::new(),
        };
        let args = ["run-primary", "--listen", &link, "--http", &http];
        let primary = cluster.command(&args);
        cluster.spawn("primary", primary)?;
        cluster.wait_for("the primary to listen", |_| {
            Ok(TcpStream::connect(&http).is_ok())
        })?;
        let slots = thread::available_parallelism().map_or(1, |cpus| cpus.get().div_ceil(2));
        for name in WORKERS {
            let token = cluster.json(&["token", "create", "--worker"])?;
            let token = token["secret"]
                .as_str()
                .context("a new token has no secret")?;
            let slots = slots.to_string();
            let args = [
                "run-worker",
                "--primary",
                &link,
                "--name",
                name,
                "--slots",
                &slots,
            ];
            let mut worker = cluster.command(&args);
            worker
                .env("WASMHOST_DATA_DIR", cluster.dir.join(name))
                .env("WASMHOST_JOIN_TOKEN", token);
            cluster.spawn(name, worker)?;
        }
        cluster.wait_for("both workers to be up", |cluster| {
            let workers = cluster.json(&["workers"])?;
            let workers = workers["items"].as_array();
            let up = workers.into_iter().flatten().filter(|w| w["state"] == "up");
            Ok(up.count() == WORKERS.len())
        })?;
        Ok(cluster)
    }

    /// The folder that holds everything of this cluster.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Submits a job as a user would, with its progress in view; the file that holds its result.
    pub(crate) fn submit(&self, name: &str, definition: &str, result: &Path) -> Result<PathBuf> {
        let file = self.dir.join(format!("{name}.toml"));
        fs::write(&file, definition).with_context(|| format!("cannot write {}", file.display()))?;
        self.submit_file(&file, result)?;
        Ok(result.to_path_buf())
    }

    /// The same with a definition that is a file.
    pub(crate) fn submit_file(&self, definition: &Path, result: &Path) -> Result<()> {
        let mut submit = self.command(&["submit", "--wait", "--result-to"]);
        steps::run(submit.arg(result).arg(definition))
    }

    /// Downloads an output of the last job.
    pub(crate) fn output(&self, name: &str, to: &Path) -> Result<()> {
        let mut outputs = self.command(&["outputs", "latest", name, "--to"]);
        steps::run(outputs.arg(to))
    }

    /// Stores a module under a name.
    pub(crate) fn push(&self, module: &Path, name: &str) -> Result<()> {
        let mut push = self.command(&["module", "push", "--name", name]);
        steps::run(push.arg(module))
    }

    /// The last lines of every log.
    pub(crate) fn explain(&self) -> String {
        let mut text = String::new();
        for process in &self.processes {
            let log = self.log(&process.name);
            let lines = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = lines.lines().collect();
            text.push_str(&format!("--- {}\n", log.display()));
            for line in &lines[lines.len().saturating_sub(TAIL)..] {
                text.push_str(&format!("{line}\n"));
            }
        }
        text
    }

    /// Ends the processes and removes what they left.
    pub(crate) fn stop(mut self) {
        self.processes.clear();
        let _ = fs::remove_dir_all(&self.dir);
    }

    /// A command with this cluster's settings and no others.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.wasmhost);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WASMHOST_") {
                command.env_remove(name);
            }
        }
        command
            .env("WASMHOST_DATA_DIR", self.dir.join("data"))
            .env("WASMHOST_ADDR", &self.api)
            .env("XDG_CONFIG_HOME", self.dir.join("config"))
            .args(args);
        command
    }

    fn json(&self, args: &[&str]) -> Result<serde_json::Value> {
        let output = self
            .command(args)
            .args(["--output", "json"])
            .output()
            .with_context(|| format!("cannot start {}", self.wasmhost.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("wasmhost {}: {}\n{said}", args.join(" "), output.status);
        }
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("wasmhost {} gave no JSON", args.join(" ")))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.log"))
    }

    fn spawn(&mut self, name: &str, mut command: Command) -> Result<()> {
        let log = self.log(name);
        let log = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.wasmhost.display()))?;
        let name = name.to_owned();
        self.processes.push(Process { name, child });
        Ok(())
    }

    /// Waits; a process that ends meanwhile, or patience that does, is an error with its log.
    fn wait_for(&mut self, what: &str, there: impl Fn(&Cluster) -> Result<bool>) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while !there(self)? {
            for at in 0..self.processes.len() {
                let process = &mut self.processes[at];
                if let Some(status) = process.child.try_wait()? {
                    let name = process.name.clone();
                    bail!("{name} ended with {status}\n{}", self.explain());
                }
            }
            if Instant::now() > end {
                bail!("waited {PATIENCE:?} for {what}\n{}", self.explain());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}
