//! A primary and workers as separate processes, on loopback and on a real disk,
//! with the settings that a user gets who says nothing.

use crate::http::Client;
use crate::place::{Folder, Place};
use crate::ports::free_port;
use crate::process::Process;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// What must happen happens within this time, or the run has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// What a cluster says that is not the default.
#[derive(Clone, Default)]
pub(crate) struct Options {
    /// Workers.
    pub(crate) workers: usize,
    /// Slots of each.
    pub(crate) slots: Option<u32>,
    /// How long a silent worker keeps its tasks.
    pub(crate) lease: Option<&'static str>,
    /// How often workers promise to be heard.
    pub(crate) status_interval: Option<&'static str>,
}

/// A running cluster; it ends and leaves nothing behind when it is dropped.
pub(crate) struct Cluster {
    options: Options,
    program: PathBuf,
    http: SocketAddr,
    link: SocketAddr,
    /// The primary, while it runs.
    pub(crate) primary: Option<Process>,
    /// The workers that run, by number.
    pub(crate) workers: Vec<Option<Process>>,
    // Last: files go when the processes have.
    folder: Folder,
}

/// Looks again and again until there is something; `pause` between two looks.
pub(crate) fn until<T>(
    what: &str,
    pause: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("waited {PATIENCE:?} for {what}");
        }
        if !pause.is_zero() {
            thread::sleep(pause);
        }
    }
}

/// Between two looks at what is not measured.
const PAUSE: Duration = Duration::from_millis(5);

impl Cluster {
    /// Starts the processes, and waits until all workers are up.
    pub(crate) fn start(place: &Place, options: Options) -> Result<Cluster> {
        let http = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let link = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut cluster = Cluster {
            program: place.wasmhost(),
            http,
            link,
            primary: None,
            workers: Vec::new(),
            folder: place.folder()?,
            options,
        };
        cluster.start_primary()?;
        for number in 0..cluster.options.workers {
            let token = cluster.join_token()?;
            cluster.workers.push(None);
            cluster.start_worker(number, Some(&token))?;
        }
        cluster.wait_for_workers(cluster.options.workers)?;
        Ok(cluster)
    }

    /// A client of its API.
    pub(crate) fn client(&self) -> Result<Client> {
        let path = self.folder.path().join("data/primary/client.token");
        let token = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Client::new(self.http, token.trim()))
    }

    /// Where workers connect.
    pub(crate) fn link(&self) -> SocketAddr {
        self.link
    }

    /// The primary's own folder.
    pub(crate) fn primary_folder(&self) -> PathBuf {
        self.folder.path().join("data/primary")
    }

    /// A worker's own folder.
    pub(crate) fn worker_folder(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("data/worker-w{number}"))
    }

    /// Everything of this cluster, and room for what else a scenario writes.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A token that lets a worker join.
    pub(crate) fn join_token(&self) -> Result<String> {
        let token = self
            .client()?
            .json("POST", "/api/v1/tokens", br#"{"kind":"join"}"#)?;
        let secret = token["secret"].as_str();
        Ok(secret.context("a new token has no secret")?.to_owned())
    }

    /// Starts the primary, which must not run, and waits until it is ready; how
    /// long that took.
    pub(crate) fn start_primary(&mut self) -> Result<Duration> {
        let mut command = self.command("run-primary");
        command.args([
            "--listen",
            &self.link.to_string(),
            "--http",
            &self.http.to_string(),
        ]);
        if let Some(lease) = self.options.lease {
            command.args(["--lease", lease]);
        }
        let start = Instant::now();
        let log = self.folder.path().join("primary.log");
        self.primary = Some(Process::start(&mut command, &log)?);
        let mut client = Client::new(self.http, "");
        let ready = until(
            "the primary to be ready",
            Duration::from_micros(500),
            || {
                let primary = self.primary.as_mut().context("no primary")?;
                anyhow::ensure!(primary.runs(), "the primary ended\n{}", primary.tail());
                let ready = client.call("GET", "/readyz", b"");
                Ok(ready.ok().filter(|answer| answer.status == 200))
            },
        );
        ready.with_context(|| self.explain())?;
        Ok(start.elapsed())
    }

    /// `kill -9` of the primary.
    pub(crate) fn kill_primary(&mut self) -> Result<()> {
        self.primary.take().context("no primary")?.kill()
    }

    /// Starts a worker that does not run; with a token for the first time.
    pub(crate) fn start_worker(&mut self, number: usize, token: Option<&str>) -> Result<()> {
        let mut command = self.command("run-worker");
        command.args(["--primary", &self.link.to_string()]);
        command.args(["--name", &format!("w{number}")]);
        if let Some(slots) = self.options.slots {
            command.args(["--slots", &slots.to_string()]);
        }
        if let Some(interval) = self.options.status_interval {
            command.args(["--status-interval", interval]);
        }
        if let Some(token) = token {
            command.env("WASMHOST_JOIN_TOKEN", token);
        }
        let log = self.folder.path().join(format!("w{number}.log"));
        self.workers[number] = Some(Process::start(&mut command, &log)?);
        Ok(())
    }

    /// Waits until so many workers are up.
    pub(crate) fn wait_for_workers(&self, count: usize) -> Result<()> {
        let mut client = self.client()?;
        until("the workers to be up", PAUSE, || {
            let (mut up, mut cursor) = (0, String::new());
            loop {
                let path = format!("/api/v1/workers?limit=500{cursor}");
                let page = client.json("GET", &path, b"")?;
                let items = page["items"].as_array().into_iter().flatten();
                up += items.filter(|worker| worker["state"] == "up").count();
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return Ok((up >= count).then_some(())),
                }
            }
        })
        .with_context(|| self.explain())
    }

    /// The last lines of every process, for failures.
    pub(crate) fn explain(&self) -> String {
        let all = self.primary.iter().chain(self.workers.iter().flatten());
        all.map(Process::tail).collect()
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("WASMHOST_") {
                command.env_remove(name);
            }
        }
        command
            .arg(verb)
            .env("WASMHOST_DATA_DIR", self.folder.path().join("data"))
            .env("XDG_CONFIG_HOME", self.folder.path().join("config"));
        command
    }
}

/// Keeps a module under a name.
pub(crate) fn push(client: &mut Client, name: &str, module: &[u8]) -> Result<()> {
    let path = format!("/api/v1/modules?name={name}&version=1");
    client.good("POST", &path, module).map(drop)
}

/// The body of a submission.
pub(crate) fn submission(definition: &str) -> Vec<u8> {
    json!({ "definition": definition }).to_string().into_bytes()
}

/// Submits; the job's id.
pub(crate) fn submit(client: &mut Client, body: &[u8]) -> Result<String> {
    let job = client.json("POST", "/api/v1/jobs", body)?;
    Ok(job["id"].as_str().context("a job has no id")?.to_owned())
}

/// The body of a submission of this job many times.
pub(crate) fn submissions(definition: &str, jobs: u32) -> Vec<u8> {
    let job = json!({ "definition": definition });
    let jobs = vec![job; jobs as usize];
    json!({ "jobs": jobs }).to_string().into_bytes()
}

/// Submits several jobs.
pub(crate) fn submit_all(client: &mut Client, body: &[u8]) -> Result<()> {
    let made = client.json("POST", "/api/v1/jobs/batch", body)?;
    made["ids"].as_array().context("no ids came")?;
    Ok(())
}

/// Waits until a job has ended well; its view.
pub(crate) fn finish(client: &mut Client, job: &str) -> Result<Value> {
    let path = format!("/api/v1/jobs/{job}?wait_ms=10000");
    // Each answer takes as long as it says, or is the end.
    until("a job to end", Duration::ZERO, || {
        let view = client.json("GET", &path, b"")?;
        match view["state"].as_str() {
            Some("succeeded") => Ok(Some(view)),
            Some("failed" | "cancelled") => bail!("job {job} ended badly: {view}"),
            _ => Ok(None),
        }
    })
}

/// Submits and waits, both unmeasured: what comes after finds everything warm.
pub(crate) fn warm_up(client: &mut Client, definition: &str) -> Result<()> {
    let job = submit(client, &submission(definition))?;
    finish(client, &job).map(drop)
}
