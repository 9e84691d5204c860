//! What a definition would do, told before modules are built, files uploaded and
//! parameters given.

use super::Planner;
use crate::catalogue::Catalogue;
use crate::definition::{ArraySource, InputSource, Node};
use crate::module::granted;
use crate::params;
use crate::parse::parse;
use crate::policy::CEILING;
use crate::source::ScriptText;
use wasmhost_proto::NodeIndex;
use wasmhost_proto::api::{
    AskedLimits, CheckNode, CheckScript, CheckView, Diagnostic, RetryView, SubmitRequest,
};

/// What a definition would do, as far as it can be told: modules that the client
/// has not built, files that it has not uploaded and parameters that it has not given
/// are no mistakes. Lists must be there, since they say how many tasks there are.
pub fn check(
    request: &SubmitRequest,
    catalogue: &dyn Catalogue,
) -> Result<CheckView, Vec<Diagnostic>> {
    look(request, Some(catalogue))
}

/// The same where no store of modules is at hand: nothing is said of modules.
pub fn outline(request: &SubmitRequest) -> Result<CheckView, Vec<Diagnostic>> {
    look(request, None)
}

fn look(
    request: &SubmitRequest,
    catalogue: Option<&dyn Catalogue>,
) -> Result<CheckView, Vec<Diagnostic>> {
    let definition = parse(&request.definition)?;
    let values = params::known(&definition, &request.params);
    let values = values.map_err(|mistakes| params::told(mistakes, &request.definition))?;
    let mut planner = Planner::new(request, catalogue, &definition, &values);
    let nodes = definition.nodes.iter().map(|node| planner.outlook(node));
    let nodes: Vec<CheckNode> = nodes.collect();
    planner.bounds(&[]);
    match planner.report.is_empty() {
        true => Ok(CheckView {
            name: definition.job_name(),
            nodes,
            params: (!definition.params.is_empty()).then(|| params::schema(&definition)),
        }),
        false => Err(planner.report.finish()),
    }
}

impl Planner<'_> {
    fn outlook(&mut self, node: &Node) -> CheckNode {
        let named = self.module(node);
        let module = named.and_then(|module| self.linked(node, module));
        if let Some(module) = module {
            self.fits_kind(node, module.kind);
            self.sends_what_it_asks(node, module);
        }
        let imports = named
            .map(|module| self.satisfied(module))
            .unwrap_or_default();
        let has_files = !node.files.is_empty() || node.scratch.is_some();
        let nodes = &self.definition.nodes;
        let name = |of: &NodeIndex| nodes[usize::from(*of)].name.clone();
        let (array, input) = (node.array.as_ref(), node.input.as_ref());
        let items_of = match array.map(|array| &array.value) {
            Some(ArraySource::Results(of)) => Some(format!("results of {}", name(of))),
            Some(ArraySource::Elements(of)) => Some(format!("elements of {}", name(of))),
            Some(ArraySource::Spawned(of)) => Some(format!("tasks that {} starts", name(of))),
            _ => None,
        };
        let spawned_by = match array.map(|array| &array.value) {
            Some(ArraySource::Spawned(of)) => Some(name(of)),
            _ => None,
        };
        let input_from = match input.map(|input| &input.value) {
            Some(InputSource::Gather(of) | InputSource::Result(of)) => vec![name(of)],
            Some(InputSource::Join(several)) => several.iter().map(name).collect(),
            _ => Vec::new(),
        };
        CheckNode {
            name: node.name.clone(),
            source: node.source.value.written(),
            module: module.map(|m| m.digest),
            kind: module.map(|m| m.kind),
            count: self.count(node),
            items_of,
            driver: node.driver,
            spawned_by,
            after: node.after.iter().map(name).collect(),
            when: node.when.as_ref().map(|when| when.value.clone()),
            input_from,
            script: self.check_script(node),
            limits: node.limits,
            asked: AskedLimits {
                memory: node.asked.memory,
                wall_ms: node.asked.wall_ms,
                output: node.asked.output,
            },
            ceiling: CEILING,
            retry: RetryView {
                guest: node.retry.guest,
                infrastructure: node.retry.infrastructure,
                kinds: (node.retry.kinds.iter())
                    .map(|(kind, count)| (kind.name().to_owned(), *count))
                    .collect(),
                backoff_ms: node.retry.backoff_ms,
                max_backoff_ms: node.retry.max_backoff_ms,
            },
            tolerate: node.tolerate,
            concurrency: node.concurrency,
            priority: node.priority,
            imports: granted(imports, has_files, !node.network.is_empty()),
            grants: self.grant_views(node),
            files: self.file_views(node),
            scratch: node.scratch,
            collect: node.collect.iter().map(|one| one.value.clone()).collect(),
        }
    }

    /// How many tasks; none when that is not known yet.
    fn count(&mut self, node: &Node) -> Option<u32> {
        match node.array.as_ref().map(|a| &a.value) {
            None => Some(1),
            Some(ArraySource::Listed(list)) => Some(self.labels(node, list)?.len() as u32),
            Some(ArraySource::Range { .. }) => self.range(node)?.map(|(_, _, count)| count),
            Some(ArraySource::Items(items)) => Some(items.len() as u32),
            Some(ArraySource::ItemsOf(name)) => Some(self.items_of(node, name)??.len() as u32),
            Some(ArraySource::Results(_) | ArraySource::Elements(_) | ArraySource::Spawned(_)) => {
                None
            }
        }
    }

    fn check_script(&mut self, node: &Node) -> Option<CheckScript> {
        let script = node.source.value.script()?;
        let digest = match &script.from {
            ScriptText::Inline(text) => Some(self.keep(text.as_bytes()).digest),
            ScriptText::File(_) => {
                let uploaded = self.request.files.get(&script.file_key()?).cloned();
                if let Some(blob) = &uploaded {
                    self.look_at(script, blob);
                }
                uploaded.map(|blob| blob.digest)
            }
        };
        Some(CheckScript {
            name: script.label(&node.name),
            engine: script.engine.module().to_owned(),
            digest,
        })
    }
}
