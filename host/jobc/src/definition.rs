//! A job definition as it was written: typed and within bounds, but with its
//! modules, files and lists not yet resolved. Remembers where each part stands.

use std::ops::Range;
use wasmhost_proto::plan::{OnFailure, RetryPolicy};
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
    /// The table `[task]`.
    pub task: Node,
    /// The table `[reduce]`.
    pub reduce: Option<Node>,
}

/// The table `[job]`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct JobTable {
    /// The job's name; by default that of the task's module.
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
}

/// The table `[task]` or `[reduce]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Where the table stands.
    pub at: Range<usize>,
    /// The task's name.
    pub name: String,
    /// Where the module comes from.
    pub module: Spot<Source>,
    /// What tells its indexes apart; none for a single task.
    pub array: Option<Spot<ArraySource>>,
    /// The input; none for the item itself.
    pub input: Option<Spot<InputSource>>,
    /// Arguments of a command.
    pub args: Vec<Spot<String>>,
    /// Environment of a command.
    pub env: Vec<(String, Spot<String>)>,
    /// What an attempt may use.
    pub limits: AttemptLimits,
    /// When to try again.
    pub retry: RetryPolicy,
}

/// Where a module comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A crate on the client's machine: built and pushed before submission.
    Crate(String),
    /// A file on the client's machine: pushed before submission.
    Path(String),
    /// A module in the primary's store: `name`, `name:version`, or `sha256:` and
    /// at least eight digits.
    Stored(String),
}

impl Source {
    /// Its name in `SubmitRequest::modules`: `crate:DIR`, `path:FILE`, or the
    /// reference itself, which needs no entry there.
    pub fn key(&self) -> String {
        match self {
            Source::Crate(dir) => format!("crate:{dir}"),
            Source::Path(file) => format!("path:{file}"),
            Source::Stored(reference) => reference.clone(),
        }
    }

    /// A job's name when the definition has none.
    pub(crate) fn default_name(&self) -> String {
        let base = match self {
            Source::Crate(path) | Source::Path(path) => path
                .trim_end_matches(['/', '\\'])
                .rsplit(['/', '\\'])
                .next()
                .unwrap_or_default(),
            Source::Stored(text) if text.starts_with("sha256:") => "",
            Source::Stored(text) => text.split(':').next().unwrap_or_default(),
        };
        let base = base.strip_suffix(".wasm").unwrap_or(base);
        if crate::values::is_name(base) {
            base.to_owned()
        } else {
            "job".to_owned()
        }
    }
}

/// What tells the indexes of an array apart.
#[derive(Clone, PartialEq, Debug)]
pub enum ArraySource {
    /// `count` numbers.
    Range {
        /// The first.
        start: i64,
        /// From one to the next; not 0.
        step: i64,
        /// How many; at least 1.
        count: u32,
    },
    /// JSON values, as text.
    Items(Vec<String>),
    /// Items that the client lists.
    Listed(List),
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
}

impl Definition {
    /// The nodes, in the plan's order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.task).chain(&self.reduce)
    }

    /// Every module source, without repetition.
    pub fn sources(&self) -> Vec<Source> {
        let mut all: Vec<Source> = Vec::new();
        for node in self.nodes() {
            if !all.contains(&node.module.value) {
                all.push(node.module.value.clone());
            }
        }
        all
    }

    /// Files that the client uploads as they are, by path: entries of
    /// `SubmitRequest::files`. Files of arrays come with their [`List`].
    pub fn files(&self) -> Vec<String> {
        self.nodes()
            .filter_map(|node| match node.input.as_ref().map(|i| &i.value) {
                Some(InputSource::File(path)) => Some(path.clone()),
                _ => None,
            })
            .collect()
    }

    /// Lists that the client makes.
    pub fn lists(&self) -> Vec<List> {
        self.nodes()
            .filter_map(|node| match node.array.as_ref().map(|a| &a.value) {
                Some(ArraySource::Listed(list)) => Some(list.clone()),
                _ => None,
            })
            .collect()
    }
}
