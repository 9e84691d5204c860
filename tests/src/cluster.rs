//! A primary and its workers, as separate processes with a data directory of
//! their own, and the command line against them.

use crate::http::{Answer, answers, request};
use crate::ports::free_port;
use crate::process::{Process, wait_until};
use crate::{task, wasmhost};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What differs between clusters.
#[derive(Clone, Debug)]
pub struct Options {
    /// Workers to start.
    pub workers: usize,
    /// Slots of each.
    pub slots: u32,
    /// How long a lost worker keeps its leases.
    pub lease: &'static str,
    /// How often workers promise to be heard.
    pub status_interval: &'static str,
    /// Whether the primary loads the script engines.
    pub engines: bool,
    /// The stored definition that the primary is started with as its driver.
    pub driver: Option<&'static str>,
    /// The settings file of primary and workers.
    pub settings: String,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            workers: 1,
            slots: 2,
            lease: "3s",
            status_interval: "200ms",
            engines: false,
            driver: None,
            settings: String::new(),
        }
    }
}

/// What a command of the user's did.
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {}\n{}", self.text(), self.stderr))
    }

    /// Itself, if it succeeded.
    ///
    /// # Panics
    /// When it did not.
    pub fn ok(self) -> Run {
        assert_eq!(self.code, 0, "{}{}", self.text(), self.stderr);
        self
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A running cluster.
pub struct Cluster {
    options: Options,
    dir: TempDir,
    http: u16,
    udp: u16,
    /// The primary, when it runs.
    pub primary: Option<Process>,
    /// The workers that run, by number.
    pub workers: Vec<Option<Process>>,
}

impl Cluster {
    /// Starts a primary and workers, and waits until all are connected.
    pub fn start(options: Options) -> Cluster {
        let mut cluster = Cluster {
            dir: TempDir::new().expect("a temporary folder"),
            http: free_port(),
            udp: free_port(),
            primary: None,
            workers: Vec::new(),
            options,
        };
        cluster.settings(&cluster.options.settings);
        cluster.start_primary();
        for _ in 0..cluster.options.workers {
            cluster.add_worker();
        }
        cluster.wait_for_workers(cluster.options.workers);
        cluster
    }

    /// The folder that holds everything of this cluster.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Writes the settings file; it holds for what is started from now on.
    pub fn settings(&self, text: &str) {
        let folder = self.dir.path().join("config/wasmhost");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("config.toml"), text).expect("a settings file");
    }

    /// The address of the HTTP API.
    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// The address for workers.
    pub fn worker_address(&self) -> String {
        format!("127.0.0.1:{}", self.udp)
    }

    /// The token that the primary made for clients on this machine.
    pub fn token(&self) -> String {
        let path = self.dir.path().join("data/primary/client.token");
        std::fs::read_to_string(path)
            .expect("the primary wrote a client token")
            .trim()
            .to_owned()
    }

    /// `GET` of the API with the token.
    pub fn get(&self, path: &str) -> Answer {
        request(
            self.http,
            "GET",
            &format!("/api/v1{path}"),
            Some(&self.token()),
            b"",
        )
    }

    /// Every task of a job, in order of node and index.
    pub fn tasks(&self, job: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/jobs/{job}/tasks?limit=500{cursor}"));
            assert_eq!(
                page.status,
                200,
                "{}{}",
                String::from_utf8_lossy(&page.body),
                self.explain()
            );
            let page = page.json();
            all.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// The port of the HTTP API.
    pub fn port(&self) -> u16 {
        self.http
    }

    /// A command of the product, with this cluster's environment and no other.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(wasmhost());
        for (name, _) in std::env::vars() {
            if name.starts_with("WASMHOST_") {
                command.env_remove(name);
            }
        }
        command
            .env("WASMHOST_DATA_DIR", self.dir.path().join("data"))
            .env("WASMHOST_ADDR", self.api())
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .current_dir(self.dir.path())
            .args(args);
        command
    }

    /// Runs a verb to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        self.command(args).output().expect("wasmhost starts").into()
    }

    /// Runs a verb with `--output json`, which must succeed.
    pub fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.extend(["--output", "json"]);
        self.run(&all).ok().json()
    }

    /// Submits a definition given as text; the job's id.
    pub fn submit(&self, definition: &str) -> String {
        let file = self.dir.path().join("job.toml");
        std::fs::write(&file, definition).expect("a definition");
        let job = self.json(&["submit", &file.to_string_lossy()]);
        job["id"].as_str().expect("a job has an id").to_owned()
    }

    /// Waits for a job's end; its view.
    pub fn finish(&self, job: &str) -> Value {
        wait_until(
            &format!("job {job} to end"),
            PATIENCE,
            || {
                let view = self.run(&["show", job, "--output", "json"]);
                let view: Value = serde_json::from_slice(&view.stdout).ok()?;
                matches!(
                    view["state"].as_str()?,
                    "succeeded" | "failed" | "cancelled"
                )
                .then_some(view)
            },
            || self.explain(),
        )
    }

    /// Starts the primary, which must not run, and waits until it answers.
    pub fn start_primary(&mut self) {
        let mut command = self.command(&["run-primary"]);
        command
            .args(["--listen", &self.worker_address()])
            .args(["--http", &format!("127.0.0.1:{}", self.http)])
            .args(["--lease", self.options.lease]);
        if let Some(name) = self.options.driver {
            command.args(["--driver", name]);
        }
        if self.options.engines {
            // Both are there, or it says what to build.
            let engine = task("engines/js");
            command.arg("--engines").args(engine.parent());
        }
        self.primary = Some(Process::start("primary", self.dir.path(), &mut command));
        let port = self.http;
        wait_until(
            "the primary to listen",
            PATIENCE,
            || answers(port).then_some(()),
            || self.explain(),
        );
    }

    /// The same, whose primary is started with another driver from now on.
    pub fn with_driver(mut self, driver: Option<&'static str>) -> Cluster {
        self.options.driver = driver;
        self
    }

    /// `kill -9` of the primary.
    pub fn kill_primary(&mut self) {
        self.primary.take().expect("it runs").kill();
    }

    /// Starts one more worker with a fresh identity; its number.
    pub fn add_worker(&mut self) -> usize {
        let token = self.json(&["token", "create", "--worker"]);
        let token = token["secret"].as_str().expect("a secret").to_owned();
        self.workers.push(None);
        let number = self.workers.len() - 1;
        self.start_worker(number, Some(&token));
        number
    }

    /// Starts a worker that is not running; with a token the first time.
    pub fn start_worker(&mut self, number: usize, token: Option<&str>) {
        let data = self.dir.path().join(format!("worker{number}"));
        let mut command = self.command(&["run-worker"]);
        command
            .args([
                "--primary",
                &self.worker_address(),
                "--name",
                &format!("w{number}"),
            ])
            .args(["--slots", &self.options.slots.to_string()])
            .args(["--status-interval", self.options.status_interval])
            .env("WASMHOST_DATA_DIR", data);
        if let Some(token) = token {
            command.env("WASMHOST_JOIN_TOKEN", token);
        }
        self.workers[number] = Some(Process::start(
            &format!("worker{number}"),
            self.dir.path(),
            &mut command,
        ));
    }

    /// `kill -9` of a worker.
    pub fn kill_worker(&mut self, number: usize) {
        self.workers[number].take().expect("it runs").kill();
    }

    /// Waits until this many workers are up.
    pub fn wait_for_workers(&self, count: usize) {
        wait_until(
            &format!("{count} workers to be up"),
            PATIENCE,
            || {
                let list = self.run(&["workers", "--output", "json"]);
                let list: Value = serde_json::from_slice(&list.stdout).ok()?;
                let up = list["items"]
                    .as_array()?
                    .iter()
                    .filter(|w| w["state"] == "up")
                    .count();
                (up == count).then_some(())
            },
            || self.explain(),
        );
    }

    /// The last lines of every process, for failures.
    pub fn explain(&self) -> String {
        self.primary
            .iter()
            .chain(self.workers.iter().flatten())
            .map(Process::tail)
            .collect()
    }
}
