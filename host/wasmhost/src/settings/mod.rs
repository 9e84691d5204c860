//! Settings: flags over `WASMHOST_*` over a TOML file over defaults (clap reads
//! the flags and the environment; this merges the rest). Starts nothing.

pub(crate) mod file;
pub(crate) mod logs;
pub(crate) mod values;

use clap::{Args, ValueEnum};
use file::{File, FileError};
use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where a primary serves its API unless told otherwise.
pub(crate) const HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7310);
/// Where a primary takes workers unless told otherwise (UDP).
pub(crate) const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7311);

/// How answers are written to standard output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OutputFormat {
    /// Text and tables for people.
    #[default]
    Table,
    /// One JSON document, of the API's own types.
    Json,
}

/// How log lines are written to standard error.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Options of every verb.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Options of every verb")]
pub(crate) struct Globals {
    /// Settings file [default: ~/.config/wasmhost/config.toml, if there]
    #[arg(
        long,
        global = true,
        env = "WASMHOST_CONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,
    /// Where all state lives [default: ~/.local/state/wasmhost]
    #[arg(
        long,
        global = true,
        env = "WASMHOST_DATA_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) data_dir: Option<PathBuf>,
    /// The primary's API [default: http://127.0.0.1:7310]
    #[arg(
        long,
        global = true,
        env = "WASMHOST_ADDR",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) addr: Option<String>,
    /// File with the client token; WASMHOST_TOKEN holds the token itself
    #[arg(
        long,
        global = true,
        env = "WASMHOST_TOKEN_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificate (PEM) of the authority to trust for https
    #[arg(
        long,
        global = true,
        env = "WASMHOST_CA_CERT",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) ca: Option<PathBuf>,
    /// How answers are written [default: table]
    #[arg(
        short,
        long,
        global = true,
        env = "WASMHOST_OUTPUT",
        value_enum,
        hide_env_values = true
    )]
    pub(crate) output: Option<OutputFormat>,
    /// Print ids only, and no talk
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// What to log, such as info, debug or wasmhost=debug,quinn=warn
    #[arg(
        long,
        global = true,
        env = "WASMHOST_LOG",
        value_name = "FILTER",
        hide_env_values = true
    )]
    pub(crate) log: Option<String>,
    /// How to log [default: text]
    #[arg(
        long,
        global = true,
        env = "WASMHOST_LOG_FORMAT",
        value_enum,
        hide_env_values = true
    )]
    pub(crate) log_format: Option<LogFormat>,
}

/// What holds for this run.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Where all state lives.
    pub(crate) data_dir: PathBuf,
    /// The primary's API.
    pub(crate) addr: String,
    /// The client token itself, from the environment.
    pub(crate) token: Option<String>,
    /// A file with the client token.
    pub(crate) token_file: Option<PathBuf>,
    /// The authority to trust for https.
    pub(crate) ca: Option<PathBuf>,
    /// How answers are written.
    pub(crate) output: OutputFormat,
    /// Ids only.
    pub(crate) quiet: bool,
    /// What is logged; the verb's own default when none.
    pub(crate) log: Option<String>,
    /// How it is logged.
    pub(crate) log_format: LogFormat,
    /// The file, for the verbs that have a section in it.
    pub(crate) file: File,
}

/// The environment, as far as settings need it.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) home: Option<PathBuf>,
    pub(crate) xdg_config_home: Option<PathBuf>,
    pub(crate) xdg_state_home: Option<PathBuf>,
    pub(crate) token: Option<String>,
}

impl Environment {
    /// The process's own.
    pub(crate) fn read() -> Environment {
        let path = |name| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        Environment {
            home: path("HOME"),
            xdg_config_home: path("XDG_CONFIG_HOME"),
            xdg_state_home: path("XDG_STATE_HOME"),
            token: std::env::var("WASMHOST_TOKEN")
                .ok()
                .filter(|t| !t.is_empty()),
        }
    }

    fn config_file(&self) -> Option<PathBuf> {
        let base = self
            .xdg_config_home
            .clone()
            .or_else(|| Some(self.home.as_ref()?.join(".config")))?;
        Some(base.join("wasmhost/config.toml"))
    }

    fn state_dir(&self) -> PathBuf {
        match (&self.xdg_state_home, &self.home) {
            (Some(state), _) => state.join("wasmhost"),
            (None, Some(home)) => home.join(".local/state/wasmhost"),
            (None, None) => std::env::temp_dir().join("wasmhost"),
        }
    }
}

impl Settings {
    /// Merges flags and environment (both in `globals`) over the file over defaults.
    pub(crate) fn resolve(globals: Globals, env: Environment) -> Result<Settings, FileError> {
        let file = file::load(globals.config.as_deref(), env.config_file())?;
        Ok(Settings::merge(globals, file, env))
    }

    fn merge(globals: Globals, mut file: File, env: Environment) -> Settings {
        let data_dir = globals
            .data_dir
            .or(file.data_dir.take())
            .unwrap_or_else(|| env.state_dir());
        Settings {
            // Child processes and messages must not depend on the current directory.
            data_dir: std::path::absolute(&data_dir).unwrap_or(data_dir),
            addr: globals
                .addr
                .or(file.client.addr.take())
                .unwrap_or_else(|| format!("http://{HTTP}")),
            token: env.token,
            token_file: globals.token_file.or(file.client.token_file.take()),
            ca: globals.ca.or(file.client.ca.take()),
            output: globals.output.or(file.output).unwrap_or_default(),
            quiet: globals.quiet,
            log: globals.log.or(file.log.take()),
            log_format: globals.log_format.or(file.log_format).unwrap_or_default(),
            file,
        }
    }

    /// The primary's own part of the data directory.
    pub(crate) fn primary_dir(&self) -> PathBuf {
        self.data_dir.join("primary")
    }

    /// The data directory of a worker: one for each name, so that several
    /// workers can live on one machine.
    pub(crate) fn worker_dir(&self, name: Option<&str>) -> PathBuf {
        match name {
            Some(name) => self.data_dir.join(format!("worker-{name}")),
            None => self.data_dir.join("worker"),
        }
    }

    /// The data directory of `dev`, with a primary and a worker of its own.
    pub(crate) fn dev_dir(&self) -> PathBuf {
        self.data_dir.join("dev")
    }

    /// Where a primary on this machine leaves its authority's certificate.
    pub(crate) fn local_authority(&self) -> PathBuf {
        self.primary_dir().join("ca/ca.crt")
    }

    /// Where a primary on this machine leaves its first client token: that of
    /// `run-primary`, then that of `dev`.
    pub(crate) fn local_tokens(&self) -> [PathBuf; 2] {
        let token = |dir: &Path| dir.join("primary/client.token");
        [token(&self.data_dir), token(&self.dev_dir())]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let text =
            "data-dir = '/file'\noutput = 'json'\nlog = 'debug'\n[client]\naddr = 'http://file:1'";
        let env = || Environment {
            home: Some("/home/u".into()),
            ..Environment::default()
        };
        let got = Settings::merge(Globals::default(), file(""), env());
        assert_eq!(got.data_dir, Path::new("/home/u/.local/state/wasmhost"));
        assert_eq!(
            (got.addr.as_str(), got.output),
            ("http://127.0.0.1:7310", OutputFormat::Table)
        );
        let got = Settings::merge(Globals::default(), file(text), env());
        assert_eq!(got.data_dir, Path::new("/file"));
        assert_eq!(
            (got.addr.as_str(), got.output),
            ("http://file:1", OutputFormat::Json)
        );
        assert_eq!(got.log.as_deref(), Some("debug"));
        let flags = Globals {
            data_dir: Some("/flag".into()),
            addr: Some("http://flag:1".into()),
            output: Some(OutputFormat::Table),
            ..Globals::default()
        };
        let got = Settings::merge(flags, file(text), env());
        assert_eq!(got.data_dir, Path::new("/flag"));
        assert_eq!(
            (got.addr.as_str(), got.output),
            ("http://flag:1", OutputFormat::Table)
        );
    }

    #[test]
    fn xdg_directories_come_before_home() {
        let env = Environment {
            home: Some("/home/u".into()),
            xdg_config_home: Some("/xc".into()),
            xdg_state_home: Some("/xs".into()),
            token: None,
        };
        assert_eq!(env.config_file(), Some("/xc/wasmhost/config.toml".into()));
        assert_eq!(env.state_dir(), Path::new("/xs/wasmhost"));
    }
}
