//! One program that this worker offers: what its settings say, and which arguments a task
//! may give it.

use crate::settings::file::ProgramFile;
use anyhow::{Context as _, bail};
use regex::Regex;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmhost_proto::limits::{
    DEFAULT_PROGRAM_CONCURRENCY, DEFAULT_PROGRAM_CPU_MS, DEFAULT_PROGRAM_MEMORY,
    DEFAULT_PROGRAM_OUTPUT, DEFAULT_PROGRAM_WALL_MS,
};

/// A program as it is started.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) path: PathBuf,
    pub(super) args: Vec<String>,
    allow: Vec<String>,
    patterns: Vec<Regex>,
    pub(super) env: BTreeMap<String, String>,
    /// Address space of each of its processes, bytes.
    pub(super) memory: u64,
    /// Processor time of each of its processes, milliseconds.
    pub(super) cpu_ms: u64,
    /// From its start to its end, milliseconds.
    pub(super) wall_ms: u64,
    /// Standard output and error together, bytes.
    pub(super) output: u64,
    /// How many more of it may run.
    pub(super) permits: Arc<Semaphore>,
}

impl Offer {
    /// What a table of the settings offers.
    pub(super) fn read(name: &str, file: &ProgramFile) -> anyhow::Result<Offer> {
        let table = || format!("the settings' [worker.programs.{name}]");
        if !file.path.is_absolute() {
            let path = file.path.display();
            bail!("{}: `path` is \"{path}\", and has to begin with /", table());
        }
        let found = std::fs::metadata(&file.path);
        let found = found.with_context(|| format!("{}: {}", table(), file.path.display()))?;
        if !found.is_file() || found.permissions().mode() & 0o111 == 0 {
            bail!("{}: {} is no program", table(), file.path.display());
        }
        let pattern = |text: &String| {
            // By itself first: with an odd bracket it would not be what is between the anchors.
            Regex::new(text).and_then(|_| Regex::new(&format!(r"\A(?:{text})\z")))
        };
        let patterns = file.allow_patterns.iter().map(pattern);
        let patterns = patterns.collect::<Result<_, _>>();
        let concurrency = file.concurrency.unwrap_or(DEFAULT_PROGRAM_CONCURRENCY);
        Ok(Offer {
            path: file.path.clone(),
            args: file.args.clone(),
            allow: file.allow.clone(),
            patterns: patterns.with_context(|| format!("{}: `allow-patterns`", table()))?,
            env: file.env.clone(),
            memory: file.memory.map_or(DEFAULT_PROGRAM_MEMORY, |bytes| bytes.0),
            cpu_ms: file.cpu.map_or(DEFAULT_PROGRAM_CPU_MS, |time| time.0),
            wall_ms: file.time.map_or(DEFAULT_PROGRAM_WALL_MS, |time| time.0),
            output: file.output.map_or(DEFAULT_PROGRAM_OUTPUT, |bytes| bytes.0),
            permits: Arc::new(Semaphore::new(concurrency.max(1) as usize)),
        })
    }

    /// The first argument that a task may not give, of those that it gives.
    pub(super) fn refused<'a>(&self, args: &'a [String]) -> Option<&'a str> {
        let fits = |arg: &String| {
            !arg.contains('\0')
                && (self.allow.contains(arg) || self.patterns.iter().any(|p| p.is_match(arg)))
        };
        args.iter().find(|arg| !fits(arg)).map(String::as_str)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn offer(text: &str) -> anyhow::Result<Offer> {
        Offer::read("sort", &toml::from_str(text).unwrap())
    }

    #[test]
    fn arguments() {
        let offer = offer(
            r#"
            path = "/bin/sh"
            allow = ["-", "--reverse"]
            allow-patterns = ["-k[0-9]{1,2}", "[a-z]+|x=.*"]
            "#,
        )
        .unwrap();
        let check = |args: &[&str], want: Option<&str>| {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(offer.refused(&args), want, "{args:?}");
        };
        check(&[], None);
        check(
            &[
                "-",
                "--reverse",
                "-k1",
                "abc",
                "x=anything at all; | & $(x)",
            ],
            None,
        );
        // Exactly, and in whole.
        check(&["--reverse=1"], Some("--reverse=1"));
        check(&["--rev"], Some("--rev"));
        check(&["-k123"], Some("-k123"));
        check(&["-k1 -o/etc/passwd"], Some("-k1 -o/etc/passwd"));
        check(&["-k1\n"], Some("-k1\n"));
        check(&["abc\nx"], Some("abc\nx"));
        check(&["-oabc"], Some("-oabc"));
        check(&["abc;id"], Some("abc;id"));
        check(&["$(id)"], Some("$(id)"));
        check(&["../../etc/passwd"], Some("../../etc/passwd"));
        check(&[""], Some(""));
        check(&["x=\0"], Some("x=\0"));
        check(
            &["-", "--compress-program=sh"],
            Some("--compress-program=sh"),
        );
    }

    #[test]
    fn nothing_is_allowed_that_is_not_said() {
        let offer = offer("path = '/bin/sh'").unwrap();
        let args = ["-c".to_owned()];
        assert_eq!(offer.refused(&args), Some("-c"));
        assert_eq!(offer.refused(&[]), None);
    }

    #[test]
    fn settings_that_offer_nothing() {
        for (text, want) in [
            ("path = 'sort'", "begin with /"),
            ("path = '/nowhere/sort'", "/nowhere/sort"),
            ("path = '/etc'", "no program"),
            ("path = '/etc/passwd'", "no program"),
            (
                "path = '/bin/sh'\nallow-patterns = ['a(']",
                "allow-patterns",
            ),
            (
                "path = '/bin/sh'\nallow-patterns = ['a)|(b']",
                "allow-patterns",
            ),
        ] {
            let error = format!("{:#}", offer(text).unwrap_err());
            assert!(error.contains(want), "{text}: {error}");
            assert!(error.contains("[worker.programs.sort]"), "{error}");
        }
    }
}
