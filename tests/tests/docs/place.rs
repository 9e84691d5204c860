//! Where the commands of a page are typed: a shell whose addresses and folders are
//! those of a test's cluster, and the servers that the page starts. Knows no page.

use crate::repository;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use wasmhost_tests::http::answers;
use wasmhost_tests::{Cluster, Process, Run, free_port, wait_until, wasmhost};

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where commands are typed, and which primary they reach.
pub(crate) struct Place<'a> {
    cluster: &'a Cluster,
    data: PathBuf,
    api: String,
    udp: u16,
    pub(crate) servers: Vec<Process>,
    /// The standard output of what ran last.
    last: String,
}

impl<'a> Place<'a> {
    pub(crate) fn new(cluster: &'a Cluster) -> Place<'a> {
        Place {
            cluster,
            data: cluster.dir().join("data"),
            api: cluster.api(),
            udp: 0,
            servers: Vec::new(),
            last: String::new(),
        }
    }

    /// A shell that will run this text here.
    fn shell(&self, text: &str) -> Command {
        let home = self.cluster.dir().join("home");
        let join = self
            .last
            .split_whitespace()
            .find(|w| w.starts_with("whj1_"));
        let text = text
            .replace("~/.local/state/wasmhost", &self.data.display().to_string())
            .replace("~/", &format!("{}/", home.display()))
            .replace("http://127.0.0.1:7310", &self.api)
            .replace("primary.example:7311", &format!("127.0.0.1:{}", self.udp))
            .replace("0.0.0.0:7311", &format!("0.0.0.0:{}", self.udp))
            .replace("whj1_…", join.unwrap_or("whj1_…"));
        let wasmhost = wasmhost();
        let mut path = vec![wasmhost.parent().unwrap().to_path_buf()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let like = self.cluster.command(&[]);
        let mut command = Command::new("sh");
        for (name, value) in like.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("WASMHOST_DATA_DIR", &self.data)
            .env("WASMHOST_ADDR", &self.api)
            .env("CARGO_TARGET_DIR", repository().join("target/docs"))
            .current_dir(self.cluster.dir())
            .args(["-e", "-c", &text]);
        command
    }

    /// Runs lines in one shell; each must succeed.
    pub(crate) fn run(&mut self, whence: &str, lines: &str) {
        if lines.is_empty() {
            return;
        }
        let run = Run::from(self.shell(lines).output().unwrap());
        assert_eq!(
            run.code,
            0,
            "{whence}:\n{lines}\n{}{}{}",
            run.text(),
            run.stderr,
            self.cluster.explain()
        );
        self.last = run.text();
    }

    /// Starts a server beside the cluster, and waits until it serves.
    pub(crate) fn serve(&mut self, line: &str) {
        let name = format!("docs{}", self.servers.len());
        let worker = line.starts_with("wasmhost run-worker");
        let port = free_port();
        let http = format!("127.0.0.1:{port}");
        if !worker {
            self.udp = free_port();
            self.data = self.cluster.dir().join(&name);
            self.api = format!("http://{http}");
        }
        let mut command = self.shell(&format!("exec {line}"));
        command
            .env("WASMHOST_HTTP", &http)
            .env("WASMHOST_SLOTS", "1");
        if line.starts_with("wasmhost dev") {
            command.env("WASMHOST_LISTEN", format!("127.0.0.1:{}", self.udp));
        }
        let server = Process::start(&name, self.cluster.dir(), &mut command);
        self.servers.push(server);
        let tails = || self.servers.iter().map(Process::tail).collect::<String>();
        wait_until(
            &format!("`{line}` to serve"),
            PATIENCE,
            || {
                if !worker {
                    return answers(port).then_some(());
                }
                let list = self.shell("wasmhost workers -o json").output().ok()?;
                let list: serde_json::Value = serde_json::from_slice(&list.stdout).ok()?;
                (list["items"][0]["state"] == "up").then_some(())
            },
            tails,
        );
    }

    /// Ends the servers in order; each must say that all went well.
    pub(crate) fn end(mut self, whence: &str) {
        for server in self.servers.iter_mut().rev() {
            assert_eq!(server.terminate(PATIENCE), Some(0), "{whence}");
        }
    }
}
