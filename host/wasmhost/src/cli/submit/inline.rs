//! A job from flags: the same definition that a file would hold, written here.

use super::prepare::Definition;
use crate::cli::exit::{Exit, Fault};
use crate::cli::params::Given;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use wasmhost_jobc::Image;
use wasmhost_proto::limits::MAX_BLOB;

#[derive(clap::Args, Debug, Default)]
#[command(next_help_heading = "A job without a file")]
pub(crate) struct Inline {
    /// What to run: a .wasm or .wat file, a crate's folder, oci://…, or a module in the store
    #[arg(short, long, conflicts_with_all = ["param", "params"])]
    pub(crate) module: Option<String>,
    /// Input: text, @FILE, or - for standard input. With placeholders such as
    /// ${item} it is JSON that each task gets filled in
    #[arg(short, long, value_name = "TEXT", conflicts_with = "files")]
    pub(crate) input: Option<String>,
    /// One task per number, such as 0..100 (the end is left out)
    #[arg(long, value_name = "RANGE", conflicts_with = "files")]
    pub(crate) array: Option<String>,
    /// An argument of a command; repeat it for more
    #[arg(
        long = "arg",
        value_name = "TEXT",
        conflicts_with = "files",
        allow_hyphen_values = true
    )]
    pub(crate) args: Vec<String>,
    /// An environment variable of a command; repeat it for more
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "files", value_parser = pair)]
    pub(crate) env: Vec<(String, String)>,
    /// The job's name [default: the module's]
    #[arg(long, conflicts_with = "files")]
    pub(crate) name: Option<String>,
    /// Wall-clock limit of a task, such as 60s
    #[arg(long, value_name = "TIME", conflicts_with = "files")]
    pub(crate) time: Option<String>,
    /// Memory limit of a task, such as 256MiB
    #[arg(long, value_name = "SIZE", conflicts_with = "files")]
    pub(crate) memory: Option<String>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err(format!("'{text}' is not of the form NAME=VALUE")),
    }
}

/// The name under which input bytes go into the definition.
const INPUT: &str = "input";

impl Inline {
    /// The definition that these flags mean.
    pub(crate) fn definition(&self) -> anyhow::Result<Definition> {
        let input = self.input.as_deref().map(read_input).transpose()?;
        self.with_input(input)
    }

    fn with_input(&self, input: Option<Vec<u8>>) -> anyhow::Result<Definition> {
        let mut task = Table::new();
        task.insert(
            "module".into(),
            source(self.module.as_deref().unwrap_or_default()),
        );
        if let Some(range) = &self.array {
            task.insert("array".into(), table([("range", range.as_str().into())]));
        }
        let template = input.as_deref().and_then(template);
        let mut given = None;
        match (template, input) {
            (Some(value), _) => drop(task.insert("input".into(), value)),
            (None, Some(bytes)) => {
                task.insert("input_file".into(), INPUT.into());
                given = Some((INPUT.to_owned(), bytes));
            }
            (None, None) => {}
        }
        if !self.args.is_empty() {
            task.insert(
                "args".into(),
                Value::Array(self.args.iter().map(|a| a.as_str().into()).collect()),
            );
        }
        if !self.env.is_empty() {
            task.insert(
                "env".into(),
                table(
                    self.env
                        .iter()
                        .map(|(k, v)| (k.as_str(), v.as_str().into())),
                ),
            );
        }
        let limits = [("time", &self.time), ("memory", &self.memory)];
        let limits: Vec<_> = limits
            .into_iter()
            .filter_map(|(k, v)| Some((k, v.as_deref()?.into())))
            .collect();
        if !limits.is_empty() {
            task.insert("limits".into(), table(limits));
        }
        let mut root = Table::new();
        if let Some(name) = &self.name {
            root.insert("job".into(), table([("name", name.as_str().into())]));
        }
        root.insert("task".into(), Value::Table(task));
        Ok(Definition {
            text: toml::to_string(&root)?,
            name: "the flags as a definition".into(),
            base: PathBuf::new(),
            given,
            params: Given::default(),
        })
    }
}

fn table<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Table(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// What is on this machine wins over what is in the store only when it looks
/// like a path: `echo` is a name, `./echo` and `echo.wasm` are not.
fn source(module: &str) -> Value {
    if Image::is_meant(module) {
        return module.into();
    }
    let path = Path::new(module);
    let file = path.extension().is_some_and(|e| e == "wasm" || e == "wat");
    let is_path = file || module.contains('/') || module == ".";
    match is_path && !module.starts_with("sha256:") {
        true if path.is_dir() => table([("crate", module.into())]),
        true => table([("path", module.into())]),
        false => module.into(),
    }
}

/// JSON with placeholders, to be filled for each task; anything else is bytes.
fn template(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.contains("${"))?;
    serde_json::from_str::<Value>(text).ok()
}

pub(crate) fn read_input(text: &str) -> anyhow::Result<Vec<u8>> {
    let failed = |what: &str, error: std::io::Error| {
        Fault::new(
            Exit::USAGE,
            "file",
            format!("cannot read the input from {what}: {error}"),
        )
    };
    let mut bytes = Vec::new();
    match (text, text.strip_prefix('@')) {
        ("-", _) => {
            std::io::stdin()
                .take(MAX_BLOB + 1)
                .read_to_end(&mut bytes)
                .map_err(|e| failed("standard input", e))?;
        }
        (_, Some(path)) => {
            let file = std::fs::File::open(path).map_err(|e| failed(path, e))?;
            file.take(MAX_BLOB + 1)
                .read_to_end(&mut bytes)
                .map_err(|e| failed(path, e))?;
        }
        (_, None) => bytes.extend_from_slice(text.as_bytes()),
    }
    if bytes.len() as u64 > MAX_BLOB {
        return Err(Fault::new(
            Exit::REFUSED,
            "too_large",
            format!("the input is over {MAX_BLOB} bytes"),
        )
        .into());
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(inline: Inline, input: Option<&str>, text: &str, given: Option<&str>) {
        let definition = inline
            .with_input(input.map(|i| i.as_bytes().to_vec()))
            .unwrap();
        assert_eq!(definition.text, text);
        assert_eq!(
            definition.given.map(|(_, bytes)| bytes),
            given.map(|g| g.as_bytes().to_vec())
        );
        assert!(wasmhost_jobc::parse(text).is_ok(), "{text}");
    }

    #[test]
    fn flags_become_a_definition() {
        let module = |text: &str| Inline {
            module: Some(text.into()),
            ..Inline::default()
        };
        check(module("echo"), None, "[task]\nmodule = \"echo\"\n", None);
        check(
            module("x/echo.wasm"),
            Some("{\"a\": 1}"),
            "[task]\ninput_file = \"input\"\n\n[task.module]\npath = \"x/echo.wasm\"\n",
            Some("{\"a\": 1}"),
        );
        let inline = Inline {
            array: Some("0..3".into()),
            args: vec!["-v".into()],
            env: vec![("K".into(), "a=b".into())],
            name: Some("n".into()),
            time: Some("5s".into()),
            ..module("echo:1.0")
        };
        check(
            inline,
            Some("{\"n\": \"${item}\"}"),
            "[job]\nname = \"n\"\n\n[task]\nargs = [\"-v\"]\nmodule = \"echo:1.0\"\n\n[task.array]\nrange = \"0..3\"\n\n\
             [task.env]\nK = \"a=b\"\n\n[task.input]\nn = \"${item}\"\n\n[task.limits]\ntime = \"5s\"\n",
            None,
        );
        check(
            module("echo"),
            Some("plain ${item}"),
            "[task]\ninput_file = \"input\"\nmodule = \"echo\"\n",
            Some("plain ${item}"),
        );
    }

    #[test]
    fn sources() {
        for (text, want) in [
            ("echo", "\"echo\""),
            ("echo:0.1", "\"echo:0.1\""),
            ("sha256:abcdef12", "\"sha256:abcdef12\""),
            ("oci://ghcr.io/a/b:1", "\"oci://ghcr.io/a/b:1\""),
            ("./gone", "{ path = \"./gone\" }"),
            ("a.wat", "{ path = \"a.wat\" }"),
            (".", "{ crate = \".\" }"),
        ] {
            assert_eq!(source(text).to_string(), want);
        }
    }
}
