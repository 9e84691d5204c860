//! What an attempt is given: input, arguments, environment, configuration, with the
//! values of parameters in them.

use super::Planner;
use crate::definition::{ArraySource, InputSource, List, Node, Spot};
use crate::read::clip;
use serde_json::Value as Json;
use std::ops::Range;
use wasmhost_proto::input::{BlobRef, Input};
use wasmhost_proto::limits::{MAX_ARGS_BYTES, MAX_INPUT_VALUE};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::plan::NodeInput;

type Pairs = Vec<(String, String)>;

impl Planner<'_> {
    pub(super) fn input(&mut self, node: &Node, kind: ModuleKind) -> Option<NodeInput> {
        let Some(Spot { value, at }) = &node.input else {
            return Some(NodeInput::Given(item(node, kind)));
        };
        let given = match value {
            InputSource::Gather(of) => return Some(NodeInput::Gather(*of)),
            InputSource::Result(of) => return Some(NodeInput::Result(*of)),
            InputSource::Join(several) => return Some(NodeInput::Join(several.clone())),
            InputSource::File(path) => Input::Blob(self.file(path, path, at)?),
            InputSource::FileOf(name) => {
                let Some(value) = self.values.get(name) else {
                    return Some(NodeInput::Given(Input::Item));
                };
                let Some(path) = value.json.as_str().map(str::to_owned) else {
                    let message = format!("the parameter `{name}` names no file");
                    self.report
                        .add("missing-file", Some(at), message, "give it a value");
                    return None;
                };
                Input::Blob(self.file(&format!("param:{name}"), &path, at)?)
            }
            InputSource::Value(value) => {
                let value = self.filler.json(value);
                let bytes = value.to_string().len();
                if bytes > MAX_INPUT_VALUE {
                    let message = format!(
                        "the input of `{}` has {bytes} bytes with its parameters, and may have {MAX_INPUT_VALUE}",
                        node.name
                    );
                    let help = "give it as a file, with `input_file`";
                    self.report.add("too-large", Some(at), message, help);
                    return None;
                }
                given(&value, kind)
            }
        };
        Some(NodeInput::Given(given))
    }

    /// An uploaded file.
    pub(super) fn file(&mut self, key: &str, path: &str, at: &Range<usize>) -> Option<BlobRef> {
        let blob = self.request.files.get(key).cloned();
        if blob.is_none() {
            let message = format!("the client did not upload \"{}\"", clip(path));
            let help = match key == path {
                true => "upload it and name it in `files`".to_owned(),
                false => format!("upload it and name it in `files` as \"{}\"", clip(key)),
            };
            self.report.add("missing-file", Some(at), message, help);
        }
        blob
    }

    /// Arguments, environment and configuration.
    pub(super) fn texts(&mut self, node: &Node) -> (Vec<String>, Pairs, Pairs) {
        let args = node.args.iter().map(|arg| self.filler.text(&arg.value));
        let args: Vec<String> = args.collect();
        let mut pairs = |table: &[(String, Spot<String>)]| -> Pairs {
            let filled = table.iter();
            filled
                .map(|(key, value)| (key.clone(), self.filler.text(&value.value)))
                .collect()
        };
        let env = pairs(&node.env);
        let mut config = pairs(&node.config);
        config.sort();
        let of = |table: &Pairs| {
            table
                .iter()
                .map(|(k, v)| k.len() + v.len() + 2)
                .sum::<usize>()
        };
        let bytes = args.iter().map(|arg| arg.len() + 1).sum::<usize>() + of(&env);
        for (what, bytes) in [
            ("arguments and environment", bytes),
            ("configuration", of(&config)),
        ] {
            if bytes > MAX_ARGS_BYTES {
                let message = format!(
                    "{what} of `{}` have {bytes} bytes with its parameters, and may have {MAX_ARGS_BYTES}",
                    node.name
                );
                self.report.add(
                    "too-large",
                    Some(&node.at),
                    message,
                    "give the data as `input`",
                );
            }
        }
        (args, env, config)
    }
}

/// The input that a definition gives. To a command a text is text; everything
/// else is JSON.
fn given(value: &Json, kind: ModuleKind) -> Input {
    match value {
        Json::String(text) if kind != ModuleKind::Task => Input::Text(text.clone()),
        value => {
            let text = value.to_string();
            match text.contains("${") {
                true => Input::Template(text),
                false => Input::Bytes(text.into_bytes()),
            }
        }
    }
}

/// The input when a definition gives none: the item.
fn item(node: &Node, kind: ModuleKind) -> Input {
    let is_bytes = matches!(
        node.array.as_ref().map(|a| &a.value),
        None | Some(
            ArraySource::Listed(List::Files { .. })
                | ArraySource::Results(_)
                | ArraySource::Spawned(_)
        )
    );
    if kind == ModuleKind::Task || is_bytes {
        Input::Item
    } else {
        Input::Text("${item}".into())
    }
}
