//! Where the code of a task comes from, and what each source is called.

mod image;
mod read;

pub use image::{Image, Place};
pub(crate) use read::read;

use crate::values;
use wasmhost_proto::Digest;

/// Where the code of a task comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A crate on the client's machine: built and pushed before submission.
    Crate(String),
    /// A file on the client's machine: pushed before submission.
    Path(String),
    /// A module in the primary's store: `name`, `name:version`, or `sha256:` and
    /// at least eight digits.
    Stored(String),
    /// A module in an OCI image that the client can reach, as text: pulled and pushed
    /// before submission.
    Image(String),
    /// A script, run by an engine in the primary's store.
    Script(Script),
}

/// A script, and what runs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// What runs it.
    pub engine: Engine,
    /// Where its text is.
    pub from: ScriptText,
}

/// Where a script's text is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ScriptText {
    /// In a file on the client's machine.
    File(String),
    /// In the definition.
    Inline(String),
}

/// What runs scripts of a language.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// JavaScript.
    Js,
    /// Rhai.
    Rhai,
    /// Python.
    Python,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Engine; 3] = [Engine::Js, Engine::Rhai, Engine::Python];

    /// Its name in a definition.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Js => "js",
            Engine::Rhai => "rhai",
            Engine::Python => "python",
        }
    }

    /// The name of its module in the store.
    pub fn module(self) -> &'static str {
        match self {
            Engine::Js => "engine-js",
            Engine::Rhai => "engine-rhai",
            Engine::Python => "engine-python",
        }
    }

    /// The endings of its scripts' files; the first is the usual one.
    pub fn endings(self) -> &'static [&'static str] {
        match self {
            Engine::Js => &["js", "mjs"],
            Engine::Rhai => &["rhai"],
            Engine::Python => &["py"],
        }
    }

    /// The engine for a file, by its ending.
    pub fn of(path: &str) -> Option<Engine> {
        let (_, ending) = path.rsplit_once('.')?;
        let ending = ending.to_ascii_lowercase();
        Engine::ALL
            .into_iter()
            .find(|engine| engine.endings().contains(&ending.as_str()))
    }
}

impl Script {
    /// Its text's name in `SubmitRequest::files`, when it is a file.
    pub fn file_key(&self) -> Option<String> {
        self.path().map(|path| format!("script:{path}"))
    }

    /// Its file's path, when it is one.
    pub fn path(&self) -> Option<&String> {
        match &self.from {
            ScriptText::File(path) => Some(path),
            ScriptText::Inline(_) => None,
        }
    }

    /// What to call it in messages and stacks: its file, or the task and its language.
    pub fn label(&self, task: &str) -> String {
        match &self.from {
            ScriptText::File(path) => path.clone(),
            ScriptText::Inline(_) => {
                format!("{task}.{}", self.engine.endings().first().unwrap_or(&""))
            }
        }
    }
}

impl Source {
    /// Its name in `SubmitRequest::modules`: `crate:DIR`, `path:FILE`, or the
    /// reference itself, which needs an entry there only when it is that of an image. Of a script, that of its engine.
    pub fn key(&self) -> String {
        match self {
            Source::Crate(dir) => format!("crate:{dir}"),
            Source::Path(file) => format!("path:{file}"),
            Source::Stored(reference) | Source::Image(reference) => reference.clone(),
            Source::Script(script) => script.engine.module().to_owned(),
        }
    }

    /// Whether only the client can bring the module.
    pub fn is_local(&self) -> bool {
        matches!(self, Source::Crate(_) | Source::Path(_) | Source::Image(_))
    }

    /// The script, if it is one.
    pub fn script(&self) -> Option<&Script> {
        match self {
            Source::Script(script) => Some(script),
            _ => None,
        }
    }

    /// As the definition has it, for people.
    pub fn written(&self) -> String {
        match self {
            Source::Crate(dir) => format!("crate {dir}"),
            Source::Path(file) => format!("file {file}"),
            Source::Stored(reference) | Source::Image(reference) => reference.clone(),
            Source::Script(script) => match &script.from {
                ScriptText::File(path) => format!("script {path}"),
                ScriptText::Inline(_) => {
                    format!("{} script in the definition", script.engine.name())
                }
            },
        }
    }

    /// A job's name when the definition has none.
    pub(crate) fn default_name(&self) -> String {
        let last = |path: &str| {
            let path = path.trim_end_matches(['/', '\\']);
            path.rsplit(['/', '\\'])
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let base = match self {
            Source::Crate(dir) => last(dir),
            Source::Path(path) => {
                let base = last(path);
                match base.rsplit_once('.') {
                    Some((stem, "wasm" | "wat")) => stem.to_owned(),
                    Some((stem, _)) if Engine::of(&base).is_some() => stem.to_owned(),
                    _ => base,
                }
            }
            Source::Image(text) => {
                let image = text.parse::<Image>().ok();
                image.map_or_else(String::new, |image| image.name().to_owned())
            }
            Source::Stored(text) if text.starts_with(Digest::PREFIX) => String::new(),
            Source::Stored(text) => text.split(':').next().unwrap_or_default().to_owned(),
            Source::Script(script) => match &script.from {
                ScriptText::File(path) => {
                    let base = last(path);
                    let stem = base
                        .rsplit_once('.')
                        .map_or(base.as_str(), |(stem, _)| stem);
                    stem.to_owned()
                }
                ScriptText::Inline(_) => String::new(),
            },
        };
        match values::is_name(&base) {
            true => base,
            false => "job".to_owned(),
        }
    }
}
