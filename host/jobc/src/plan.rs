//! [`Definition`] to [`JobPlan`]: modules, files and lists put in their places,
//! and what depends on a module's kind.

use crate::array::count_fits;
use crate::catalogue::{Catalogue, ModuleFacts};
use crate::definition::{ArraySource, Definition, InputSource, List, Node, Source};
use crate::parse::parse;
use crate::read::clip;
use crate::report::Report;
use serde_json::Value as Json;
use wasmhost_proto::Digest;
use wasmhost_proto::api::{CheckNode, CheckView, Diagnostic, SubmitRequest};
use wasmhost_proto::input::{Array, Input, Item};
use wasmhost_proto::limits::{MAX_ITEM_BYTES, MAX_ITEMS_BYTES};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan};

/// Compiles a submission: parses, resolves, checks. Whether the named blobs
/// exist is for the caller to see.
pub fn plan(
    request: &SubmitRequest,
    catalogue: &dyn Catalogue,
) -> Result<JobPlan, Vec<Diagnostic>> {
    let definition = parse(&request.definition)?;
    let mut planner = Planner::new(request, catalogue);
    let nodes = definition
        .nodes()
        .map(|node| planner.node(node, node.at != definition.task.at));
    let nodes: Vec<Option<NodePlan>> = nodes.collect();
    let report = planner.report;
    match nodes.into_iter().collect::<Option<Vec<_>>>() {
        Some(nodes) if report.is_empty() => Ok(job(definition, nodes)),
        _ => Err(report.finish()),
    }
}

/// What a definition would do, as far as it can be told: modules that the client
/// has not built and files that it has not uploaded are no mistakes. Lists must
/// be there, since they say how many tasks there are.
pub fn check(
    request: &SubmitRequest,
    catalogue: &dyn Catalogue,
) -> Result<CheckView, Vec<Diagnostic>> {
    let definition = parse(&request.definition)?;
    let mut planner = Planner::new(request, catalogue);
    let nodes = definition
        .nodes()
        .map(|node| planner.outlook(node))
        .collect();
    match planner.report.is_empty() {
        true => Ok(CheckView {
            name: job_name(&definition),
            nodes,
        }),
        false => Err(planner.report.finish()),
    }
}

fn job_name(definition: &Definition) -> String {
    let name = definition.job.name.clone();
    name.unwrap_or_else(|| definition.task.module.value.default_name())
}

fn job(definition: Definition, nodes: Vec<NodePlan>) -> JobPlan {
    JobPlan {
        name: job_name(&definition),
        description: definition.job.description,
        priority: definition.job.priority,
        queue_ms: definition.job.queue_ms,
        total_ms: definition.job.total_ms,
        on_failure: definition.job.on_failure,
        nodes,
        ..JobPlan::default()
    }
}

struct Planner<'a> {
    report: Report<'a>,
    request: &'a SubmitRequest,
    catalogue: &'a dyn Catalogue,
}

impl<'a> Planner<'a> {
    fn new(request: &'a SubmitRequest, catalogue: &'a dyn Catalogue) -> Planner<'a> {
        Planner {
            report: Report::new(&request.definition),
            request,
            catalogue,
        }
    }

    fn node(&mut self, node: &Node, reduces: bool) -> Option<NodePlan> {
        let module = self.module(node);
        if module.is_none() && self.is_unresolved(node) {
            let key = node.module.value.key();
            let message = format!("the client sent no module for \"{}\"", clip(&key));
            let help = "push the module and name its digest in `modules`";
            self.report
                .add("unresolved-module", Some(&node.module.at), message, help);
        }
        let array = self.array(node);
        let input = match node.input.as_ref().map(|input| (&input.value, &input.at)) {
            Some((InputSource::File(path), at)) => {
                let blob = self.request.files.get(path);
                if blob.is_none() {
                    let message = format!("the client did not upload \"{}\"", clip(path));
                    self.report.add(
                        "missing-file",
                        Some(at),
                        message,
                        "upload it and name it in `files`",
                    );
                }
                blob.cloned().map(Input::Blob)
            }
            Some((InputSource::Value(value), _)) => module.map(|m| given(value, m.kind)),
            None => module.map(|m| item(node, m.kind)),
        };
        let (module, array, input) = (module?, array?, input?);
        self.fits_kind(node, module.kind);
        Some(NodePlan {
            name: node.name.clone(),
            module: module.digest,
            module_len: module.len,
            kind: module.kind,
            array,
            input: if reduces {
                NodeInput::Gather(0)
            } else {
                NodeInput::Given(input)
            },
            args: node.args.iter().map(|arg| arg.value.clone()).collect(),
            env: node
                .env
                .iter()
                .map(|(k, v)| (k.clone(), v.value.clone()))
                .collect(),
            limits: node.limits,
            retry: node.retry.clone(),
            after: if reduces { vec![0] } else { Vec::new() },
            ..NodePlan::default()
        })
    }

    fn outlook(&mut self, node: &Node) -> CheckNode {
        let module = self.module(node);
        if let Some(module) = module {
            self.fits_kind(node, module.kind);
        }
        let count = match node.array.as_ref().map(|a| &a.value) {
            Some(ArraySource::Listed(list)) => {
                self.labels(node, list).map_or(0, |l| l.len() as u32)
            }
            Some(ArraySource::Range { count, .. }) => *count,
            Some(ArraySource::Items(items)) => items.len() as u32,
            None => 1,
        };
        CheckNode {
            name: node.name.clone(),
            count,
            module: module.map(|m| m.digest),
            limits: node.limits,
        }
    }

    /// Whether a module is missing only because the client has not sent it yet.
    fn is_unresolved(&self, node: &Node) -> bool {
        let source = &node.module.value;
        !matches!(source, Source::Stored(_)) && !self.request.modules.contains_key(&source.key())
    }

    fn module(&mut self, node: &Node) -> Option<ModuleFacts> {
        let at = Some(&node.module.at);
        let source = &node.module.value;
        let found = match (self.request.modules.get(&source.key()), source) {
            (Some(digest), _) => Ok(self.catalogue.digest(*digest)),
            (None, Source::Stored(reference)) => match reference.parse::<Digest>() {
                Ok(digest) => Ok(self.catalogue.digest(digest)),
                Err(_) => self.catalogue.find(reference),
            },
            (None, Source::Crate(_) | Source::Path(_)) => return None,
        };
        let name = clip(&source.key());
        match found {
            Ok(Some(facts)) => return Some(facts),
            Ok(None) => self.report.add(
                "unknown-module",
                at,
                format!("there is no module \"{name}\" in the store"),
                "see `wasmhost module list`, and add it with `wasmhost module push FILE`",
            ),
            Err(ambiguous) => self.report.add(
                "ambiguous-module",
                at,
                format!("\"{name}\" fits several modules"),
                format!(
                    "choose one of {}",
                    ambiguous
                        .0
                        .iter()
                        .take(10)
                        .cloned()
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            ),
        }
        None
    }

    /// Reports what a module of this kind cannot be given.
    fn fits_kind(&mut self, node: &Node, kind: ModuleKind) {
        if kind != ModuleKind::Task {
            return;
        }
        let args = node.args.first().map(|arg| ("args", &arg.at));
        let env = node.env.first().map(|(_, value)| ("env", &value.at));
        for (key, at) in args.into_iter().chain(env) {
            let message = format!("`{key}` is for commands, and the module is a task");
            self.report
                .add("unfit-key", Some(at), message, "give it with `input`");
        }
    }

    fn array(&mut self, node: &Node) -> Option<Array> {
        let Some(array) = &node.array else {
            return Some(Array::Single);
        };
        Some(match &array.value {
            ArraySource::Range { start, step, count } => Array::Range {
                start: *start,
                step: *step,
                count: *count,
            },
            ArraySource::Items(texts) => {
                Array::Items(texts.iter().cloned().map(Item::Json).collect())
            }
            ArraySource::Listed(list) => {
                let labels = self.labels(node, list)?;
                Array::Items(match list {
                    List::Lines(_) => labels
                        .iter()
                        .map(|line| Item::Json(Json::from(line.as_str()).to_string()))
                        .collect(),
                    List::Files { .. } => self.files(node, labels)?,
                })
            }
        })
    }

    fn files(&mut self, node: &Node, labels: &[String]) -> Option<Vec<Item>> {
        let at = node.array.as_ref().map(|array| &array.at);
        let items = labels.iter().map(|label| {
            let blob = self.request.files.get(label);
            if blob.is_none() {
                let message = format!("the client did not upload \"{}\"", clip(label));
                self.report.add(
                    "missing-file",
                    at,
                    message,
                    "upload it and name it in `files`",
                );
            }
            Some(Item::File {
                path: label.clone(),
                blob: blob?.clone(),
            })
        });
        items.collect::<Vec<_>>().into_iter().collect()
    }

    /// The items that the client listed, neither none nor too many.
    fn labels(&mut self, node: &Node, list: &List) -> Option<&'a [String]> {
        let at = &node.array.as_ref()?.at;
        let key = list.key();
        let Some(labels) = self.request.lists.get(&key) else {
            let message = format!("the client sent no list \"{}\"", clip(&key));
            self.report.add(
                "unresolved-list",
                Some(at),
                message,
                "name its items in `lists`",
            );
            return None;
        };
        if !count_fits(&mut self.report, &clip(&key), labels.len(), at) {
            return None;
        }
        if let Some(long) = labels.iter().find(|label| label.len() > MAX_ITEM_BYTES) {
            let message = format!(
                "an item has {} bytes, and may have {MAX_ITEM_BYTES}: {}",
                long.len(),
                clip(long)
            );
            self.report
                .add("too-large", Some(at), message, "put the data into a file");
            return None;
        }
        let bytes: usize = labels.iter().map(String::len).sum();
        if bytes > MAX_ITEMS_BYTES {
            let message =
                format!("the items have {bytes} bytes, and may have {MAX_ITEMS_BYTES} in all");
            self.report
                .add("too-large", Some(at), message, "put the data into files");
            return None;
        }
        Some(labels)
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
    let is_file = matches!(
        node.array.as_ref().map(|a| &a.value),
        None | Some(ArraySource::Listed(List::Files { .. }))
    );
    if kind == ModuleKind::Task || is_file {
        Input::Item
    } else {
        Input::Text("${item}".into())
    }
}
