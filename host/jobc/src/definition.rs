//! A job definition as it was written: typed, within bounds and with its names
//! resolved, but with its parameters, modules, files and lists not yet filled in.
//! Remembers where each part stands.

use crate::files::{FileEntry, FileSource};
use crate::params::Param;
use crate::source::Source;
use std::collections::BTreeSet;
use std::ops::Range;
use wasmhost_proto::NodeIndex;
use wasmhost_proto::plan::{OnFailure, RetryPolicy};
use wasmhost_proto::reach::Reach;
use wasmhost_proto::wire::AttemptLimits;

/// A value, and the bytes of the definition that it was read from.
#[derive(Clone, PartialEq, Debug)]
pub struct Spot<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Range<usize>,
}

/// A job definition.
#[derive(Clone, PartialEq, Debug)]
pub struct Definition {
    /// The table `[job]`.
    pub job: JobTable,
    /// The tables `[params.NAME]`, in the order of the text.
    pub params: Vec<Param>,
    /// The tasks: each after all that it waits for, else in the order of the text.
    pub nodes: Vec<Node>,
}

/// The table `[job]`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct JobTable {
    /// The job's name; by default that of the first task's module.
    pub name: Option<String>,
    /// What it is for.
    pub description: String,
    /// Higher goes first.
    pub priority: i32,
    /// From submission until the first start, milliseconds.
    pub queue_ms: Option<u64>,
    /// From submission until the end, milliseconds.
    pub total_ms: Option<u64>,
    /// What a task that failed for good does to the job.
    pub on_failure: OnFailure,
    /// Tasks on workers at once.
    pub concurrency: Option<u32>,
    /// The public spaces that its tasks may change: names, or the start of some and `*`.
    pub publishes: Vec<String>,
}

/// The table `[task]`, `[reduce]` or `[tasks.NAME]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Where the table stands.
    pub at: Range<usize>,
    /// The task's name.
    pub name: String,
    /// Where the code comes from.
    pub source: Spot<Source>,
    /// What tells its indexes apart; none for a single task.
    pub array: Option<Spot<ArraySource>>,
    /// The input; none for the item itself.
    pub input: Option<Spot<InputSource>>,
    /// Arguments of a command.
    pub args: Vec<Spot<String>>,
    /// Environment of a command.
    pub env: Vec<(String, Spot<String>)>,
    /// What the guest reads as its configuration.
    pub config: Vec<(String, Spot<String>)>,
    /// What an attempt may use.
    pub limits: AttemptLimits,
    /// What of `limits` the definition says, for people.
    pub asked: Asked,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Everything that ends before it begins; sorted, each once.
    pub after: Vec<NodeIndex>,
    /// The condition to run.
    pub when: Option<Spot<String>>,
    /// Tasks that may fail for good without failing the job.
    pub tolerate: u32,
    /// Tasks on workers at once.
    pub concurrency: Option<u32>,
    /// Higher goes first within the job.
    pub priority: i32,
    /// Whether it starts other tasks.
    pub driver: bool,
    /// Programs of the worker's machine that it may start.
    pub programs: Vec<Spot<String>>,
    /// Files that it reads, by the paths that it knows.
    pub files: Vec<FileEntry>,
    /// Bytes of the folder that each attempt may write.
    pub scratch: Option<u64>,
    /// Patterns of files in that folder that become outputs.
    pub collect: Vec<Spot<String>>,
    /// Requests over the network that it may send.
    pub network: Vec<Spot<Reach>>,
    /// Secrets of the operator's that it may use.
    pub secrets: Vec<Spot<String>>,
    /// Stored definitions of which it may submit jobs.
    pub submits: Vec<Spot<String>>,
}

/// The limits that a definition says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    /// Bytes.
    pub memory: Option<u64>,
    /// Milliseconds.
    pub wall_ms: Option<u64>,
    /// Bytes.
    pub output: Option<u64>,
}

/// What tells the indexes of an array apart.
#[derive(Clone, PartialEq, Debug)]
pub enum ArraySource {
    /// Numbers.
    Range {
        /// The first.
        start: Bound,
        /// The first that is not part of it.
        end: Bound,
        /// From one to the next.
        step: Bound,
    },
    /// JSON values, as text.
    Items(Vec<String>),
    /// The values of a parameter that is a list.
    ItemsOf(String),
    /// Items that the client lists.
    Listed(List),
    /// The results of another task.
    Results(NodeIndex),
    /// The elements of another task's only result.
    Elements(NodeIndex),
    /// Whatever another task, a driver, starts.
    Spawned(NodeIndex),
}

/// A number, or the parameter that is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bound {
    /// As it stands.
    Number(i64),
    /// By name.
    Param(String),
}

/// A list that only the client can make, since it reads its files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum List {
    /// The lines of a text file: one index per line that is not blank.
    Lines(String),
    /// Files: one index per file, or per batch of files.
    Files {
        /// Paths with `*`, `?`, `**` and `[…]`.
        patterns: Vec<String>,
        /// Bytes up to which files are put together; none for one file per index.
        batch: Option<u64>,
    },
}

impl List {
    /// Its name in `SubmitRequest::lists`: `lines:FILE`, or `files:` and the
    /// patterns as a JSON array, then `;batch=BYTES` when files are batched.
    pub fn key(&self) -> String {
        match self {
            List::Lines(path) => format!("lines:{path}"),
            List::Files { patterns, batch } => {
                let patterns = serde_json::Value::from(patterns.as_slice());
                match batch {
                    Some(bytes) => format!("files:{patterns};batch={bytes}"),
                    None => format!("files:{patterns}"),
                }
            }
        }
    }
}

/// The input that a definition gives.
#[derive(Clone, PartialEq, Debug)]
pub enum InputSource {
    /// A value, with placeholders in its texts.
    Value(serde_json::Value),
    /// A file on the client's machine.
    File(String),
    /// The file that a parameter names.
    FileOf(String),
    /// The results of an array.
    Gather(NodeIndex),
    /// The result of a single task.
    Result(NodeIndex),
    /// The results of several tasks by name.
    Join(Vec<NodeIndex>),
}

/// A file that the client uploads as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileUse {
    /// Its name in `SubmitRequest::files`.
    pub key: String,
    /// Its path, as the definition has it.
    pub path: String,
}

impl Definition {
    /// Every module source, without repetition.
    pub fn sources(&self) -> Vec<Source> {
        let mut seen = BTreeSet::new();
        let all = self.nodes.iter().map(|node| &node.source.value);
        all.filter(|source| seen.insert(source.key()))
            .cloned()
            .collect()
    }

    /// Files that the client uploads as they are, each once. Files of arrays come
    /// with their [`List`], those of parameters with [`params::files`](crate::params::files).
    pub fn files(&self) -> Vec<FileUse> {
        let mut seen = BTreeSet::new();
        let of = |key: String, path: &String| FileUse {
            key,
            path: path.clone(),
        };
        let inputs = self.nodes.iter().filter_map(|node| {
            match node.input.as_ref().map(|input| &input.value) {
                Some(InputSource::File(path)) => Some(of(path.clone(), path)),
                _ => None,
            }
        });
        let scripts = self.nodes.iter().filter_map(|node| {
            let script = node.source.value.script()?;
            Some(of(script.file_key()?, script.path()?))
        });
        inputs
            .chain(scripts)
            .filter(|file| seen.insert(file.key.clone()))
            .collect()
    }

    /// Files and folders that the client uploads for `files`, each once, as the definition
    /// has them. Those of parameters come with [`params::files`](crate::params::files).
    pub fn placed(&self) -> BTreeSet<&str> {
        let entries = self.nodes.iter().flat_map(|node| &node.files);
        let paths = entries.filter_map(|entry| match &entry.from.value {
            FileSource::Path(path) => Some(path.as_str()),
            FileSource::Param(_) => None,
        });
        paths.collect()
    }

    /// Lists that the client makes.
    pub fn lists(&self) -> Vec<List> {
        self.nodes
            .iter()
            .filter_map(|node| match node.array.as_ref().map(|a| &a.value) {
                Some(ArraySource::Listed(list)) => Some(list.clone()),
                _ => None,
            })
            .collect()
    }

    /// The job's name: its own, or that of its first task's code.
    pub fn job_name(&self) -> String {
        let own = self.job.name.clone();
        let first = || Some(self.nodes.first()?.source.value.default_name());
        own.or_else(first).unwrap_or_else(|| "job".to_owned())
    }
}
