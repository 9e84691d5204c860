//! `wasmhost run-worker`

use super::context::Context;
use super::exit::{Exit, Fault};
use super::signals;
use crate::settings::file::WorkerFile;
use crate::settings::values::{Bytes, Millis};
use crate::settings::{LISTEN, Settings};
use crate::worker::{self, WorkerOptions};
use std::path::{Path, PathBuf};
use wasmhost_link::JoinToken;
use wasmhost_proto::limits::{MAX_NAME, MAX_SCRATCH, MAX_SLOTS, STATUS_INTERVAL_MS};

#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {
    /// The primary's address for workers (UDP) [default: 127.0.0.1:7311]
    #[arg(
        long,
        env = "WASMHOST_PRIMARY",
        value_name = "HOST:PORT",
        hide_env_values = true
    )]
    primary: Option<String>,
    /// Token of `wasmhost token create --worker`, or @FILE; needed the first time
    #[arg(
        long,
        env = "WASMHOST_JOIN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    join: Option<String>,
    /// A name for people; each name has a data directory of its own [default: the host's name]
    #[arg(long, env = "WASMHOST_WORKER_NAME", value_parser = name, hide_env_values = true)]
    name: Option<String>,
    #[command(flatten)]
    shape: Shape,
    /// How often it promises to be heard [default: 1s]
    #[arg(long, env = "WASMHOST_STATUS_INTERVAL", value_name = "TIME", value_parser = interval, hide_env_values = true)]
    status_interval: Option<Millis>,
}

/// What a worker offers.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct Shape {
    /// Tasks that run at once [default: one per processor]
    #[arg(long, env = "WASMHOST_SLOTS", value_name = "N", hide_env_values = true,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SLOTS)))]
    pub(crate) slots: Option<u32>,
    /// Processes that share the slots [default: one per processor]
    #[arg(long, env = "WASMHOST_EXECUTORS", value_name = "N", hide_env_values = true,
          value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) executors: Option<u32>,
    /// Memory it offers to tasks in all, such as 8GiB
    #[arg(
        long,
        env = "WASMHOST_MEMORY",
        value_name = "SIZE",
        hide_env_values = true
    )]
    pub(crate) memory: Option<Bytes>,
}

fn name(text: &str) -> Result<String, String> {
    let fits = text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    match fits {
        true => Ok(text.into()),
        false => Err(format!(
            "a name has up to {MAX_NAME} letters, digits, '.', '_' and '-', a letter or digit first"
        )),
    }
}

fn interval(text: &str) -> Result<Millis, String> {
    let time: Millis = text.parse()?;
    match STATUS_INTERVAL_MS.contains(&time.0) {
        true => Ok(time),
        false => Err(format!(
            "it is between {} and {}",
            Millis(*STATUS_INTERVAL_MS.start()),
            Millis(*STATUS_INTERVAL_MS.end())
        )),
    }
}

impl Shape {
    /// Merges the flags over the settings file into a worker's options.
    pub(crate) fn apply(&self, file: &WorkerFile, options: &mut WorkerOptions) {
        if let Some(slots) = self.slots.or(file.slots) {
            options.slots = slots;
            options.prefetch = slots.saturating_mul(2);
            options.executors = options.executors.min(slots);
        }
        if let Some(executors) = self.executors.or(file.executors) {
            options.executors = executors.min(options.slots);
        }
        if let Some(memory) = self.memory.or(file.memory) {
            options.memory = memory.0;
        }
        if let Some(scratch) = file.scratch {
            options.scratch = scratch.0.min(MAX_SCRATCH);
        }
        options.programs = file.programs.clone();
        options.network = file.network.clone();
    }
}

impl Args {
    fn options(self, settings: &Settings) -> anyhow::Result<WorkerOptions> {
        let file = &settings.file.worker;
        let given = self.name.or_else(|| file.name.clone());
        let data_dir: PathBuf = settings.worker_dir(given.as_deref());
        let primary = self
            .primary
            .or_else(|| file.primary.clone())
            .unwrap_or_else(|| LISTEN.to_string());
        let mut options = WorkerOptions::new(primary, data_dir)?;
        self.shape.apply(file, &mut options);
        if let Some(name) = given {
            options.name = name;
        }
        if let Some(interval) = self.status_interval.or(file.status_interval) {
            options.status_interval_ms = interval.0;
        }
        options.join = self.join.as_deref().map(token).transpose()?;
        Ok(options)
    }
}

fn token(text: &str) -> anyhow::Result<JoinToken> {
    let read = |path: &str| {
        std::fs::read_to_string(Path::new(path)).map_err(|error| {
            Fault::new(
                Exit::USAGE,
                "file",
                format!("cannot read the join token in {path}: {error}"),
            )
        })
    };
    let text = match text.strip_prefix('@') {
        Some(path) => read(path)?,
        None => text.to_owned(),
    };
    let token = text.trim().parse::<JoinToken>().map_err(|error| {
        Fault::new(
            Exit::USAGE,
            "bad_token",
            format!("the join token cannot be used: {error}"),
        )
        .help("make one where the primary runs: wasmhost token create --worker")
    })?;
    Ok(token)
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let stop = signals::shutdown()?;
    worker::run(args.options(&cx.settings)?, stop.cancelled_owned()).await?;
    tracing::info!("the worker has ended");
    Ok(Exit::OK)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn options(args: Args, file: &str) -> WorkerOptions {
        let mut settings = Settings {
            data_dir: "/data".into(),
            ..Settings::default()
        };
        settings.file.worker = toml::from_str(file).unwrap();
        args.options(&settings).unwrap()
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let got = options(Args::default(), "");
        assert_eq!(
            (got.primary.as_str(), got.data_dir),
            ("127.0.0.1:7311", PathBuf::from("/data/worker"))
        );
        let file =
            "slots = 3\nname = 'f'\nprimary = 'file:1'\nstatus-interval = '200ms'\nmemory = '1GiB'";
        let got = options(Args::default(), file);
        assert_eq!(
            (got.slots, got.name.as_str(), got.primary.as_str()),
            (3, "f", "file:1")
        );
        assert_eq!((got.status_interval_ms, got.memory), (200, 1 << 30));
        assert!(got.executors <= 3);
        assert_eq!(got.data_dir, PathBuf::from("/data/worker-f"));
        let args = Args {
            name: Some("g".into()),
            shape: Shape {
                slots: Some(1),
                executors: Some(9),
                memory: None,
            },
            ..Args::default()
        };
        let got = options(args, file);
        assert_eq!((got.slots, got.executors, got.name.as_str()), (1, 1, "g"));
    }

    #[test]
    fn names_and_intervals() {
        for (text, want) in [
            ("w1", true),
            ("a.b_c-d", true),
            ("", false),
            ("../x", false),
            ("a b", false),
        ] {
            assert_eq!(name(text).is_ok(), want, "{text}");
        }
        for (text, want) in [("1s", true), ("1ms", false), ("2h", false), ("x", false)] {
            assert_eq!(interval(text).is_ok(), want, "{text}");
        }
        assert!(token("nonsense").is_err() && token("@/nonexistent").is_err());
    }
}
