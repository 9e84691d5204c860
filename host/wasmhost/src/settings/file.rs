//! The settings file: TOML, every key optional, unknown keys refused with their
//! place. Reads it; what wins over it is decided in `mod.rs`.

use super::values::{Bytes, Millis};
use super::{LogFormat, OutputFormat};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wasmhost_proto::api::StoredName;
use wasmhost_proto::grants::Ceiling;
use wasmhost_proto::reach::Reach;

/// Everything that can be set in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct File {
    /// Where all state lives.
    pub(crate) data_dir: Option<PathBuf>,
    /// How answers are written.
    pub(crate) output: Option<OutputFormat>,
    /// What is logged, such as `info` or `wasmhost=debug`.
    pub(crate) log: Option<String>,
    /// How log lines are written.
    pub(crate) log_format: Option<LogFormat>,
    /// For every verb that asks a primary.
    pub(crate) client: ClientFile,
    /// For `run-primary` and `dev`.
    pub(crate) primary: PrimaryFile,
    /// For `run-worker` and `dev`.
    pub(crate) worker: WorkerFile,
}

/// `[client]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct ClientFile {
    pub(crate) addr: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
}

/// `[primary]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct PrimaryFile {
    pub(crate) listen: Option<std::net::SocketAddr>,
    pub(crate) http: Option<std::net::SocketAddr>,
    pub(crate) advertise: Option<String>,
    pub(crate) lease: Option<Millis>,
    /// How often workers that run something are asked what they have published.
    pub(crate) poll: Option<Millis>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) insecure_http: Option<bool>,
    pub(crate) engines: Option<PathBuf>,
    #[serde(deserialize_with = "parsed")]
    pub(crate) driver: Option<StoredName>,
    /// The file of the key that seals secrets.
    pub(crate) secrets_key: Option<PathBuf>,
    /// What definitions may ask for.
    pub(crate) allow: Ceiling,
}

/// A text that is read like a flag.
fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// `[worker]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct WorkerFile {
    pub(crate) primary: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) slots: Option<u32>,
    pub(crate) executors: Option<u32>,
    pub(crate) memory: Option<Bytes>,
    pub(crate) status_interval: Option<Millis>,
    /// The largest scratch folder of an attempt; 0B offers no files at all.
    pub(crate) scratch: Option<Bytes>,
    /// Programs of this machine that tasks may start, by the name that they know.
    pub(crate) programs: BTreeMap<String, ProgramFile>,
    /// Requests over the network that tasks may send from here.
    pub(crate) network: Vec<Reach>,
}

/// `[worker.programs.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ProgramFile {
    /// The executable.
    pub(crate) path: PathBuf,
    /// Arguments before those that tasks give.
    #[serde(default)]
    pub(crate) args: Vec<String>,
    /// Arguments that tasks may give.
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    /// Regular expressions, one of which matches the whole of any other.
    #[serde(default)]
    pub(crate) allow_patterns: Vec<String>,
    /// Its environment: there is no other.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) memory: Option<Bytes>,
    pub(crate) cpu: Option<Millis>,
    pub(crate) time: Option<Millis>,
    pub(crate) output: Option<Bytes>,
    pub(crate) concurrency: Option<u32>,
}

/// Why a settings file could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot read the settings file {}: {error}", path.display())]
    Read {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("the settings file {} is wrong\n{error}", path.display())]
    Parse {
        path: PathBuf,
        error: Box<toml::de::Error>,
    },
}

/// Reads the file that was named, or the user's own if there is one.
pub(crate) fn load(named: Option<&Path>, default: Option<PathBuf>) -> Result<File, FileError> {
    let path = match (named, default) {
        (Some(path), _) => path.to_owned(),
        (None, Some(path)) if path.exists() => path,
        (None, _) => return Ok(File::default()),
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text).map_err(|error| FileError::Parse { path, error }),
        Err(error) => Err(FileError::Read { path, error }),
    }
}

fn parse(text: &str) -> Result<File, Box<toml::de::Error>> {
    toml::from_str(text).map_err(Box::new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(text: &str, want: Result<(), &str>) {
        match (parse(text), want) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => {
                assert!(
                    error.to_string().contains(part),
                    "{error} does not say {part:?}"
                );
            }
            (got, want) => panic!("{text:?}: {got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn files() {
        check("", Ok(()));
        check(
            "output = 'json'\n[worker]\nslots = 4\nmemory = '2GiB'",
            Ok(()),
        );
        check("[primary]\nlease = '15s'\nhttp = '127.0.0.1:1'", Ok(()));
        check("[worker]\nslot = 4", Err("unknown field `slot`"));
        check("[worker]\nslot = 4", Err("line 2, column 1"));
        check("[primary]\nlease = '15'", Err("not a duration"));
        check("[primary]\ndriver = 'front@2'", Ok(()));
        check("[primary]\ndriver = 'front@'", Err("NAME@VERSION"));
        check("[primary.allow]\nprograms = ['gzip', 'text-*']", Ok(()));
        check(
            "[primary.allow]\nprogram = []",
            Err("unknown field `program`"),
        );
        check(
            "[worker.programs.gzip]\npath = '/bin/gzip'\nallow-patterns = ['-[1-9]']\ncpu = '1s'",
            Ok(()),
        );
        check(
            "[worker.programs.gzip]\nargs = []",
            Err("missing field `path`"),
        );
        check("[worker]\nnetwork = ['GET https://*.example']", Ok(()));
        check(
            "[primary.allow]\nnetwork = ['https://a.example']",
            Err("grants no requests"),
        );
        check("output = 'yaml'", Err("unknown variant `yaml`"));
        check("[primary]\nlisten = 'here'", Err("socket address"));
    }

    #[test]
    fn the_documented_file_is_right() {
        let page = include_str!("../../../../docs/cli.md");
        let example = page
            .split("```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next());
        check(example.unwrap(), Ok(()));
    }

    #[test]
    fn a_missing_file_counts_only_when_it_was_named() {
        let missing = PathBuf::from("/nonexistent/wasmhost.toml");
        assert!(load(None, Some(missing.clone())).is_ok());
        let error = load(Some(&missing), None).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/wasmhost.toml"), "{error}");
    }
}
