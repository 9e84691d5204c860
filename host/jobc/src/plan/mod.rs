//! [`Definition`] to [`JobPlan`]: parameters, modules, files and lists put in their
//! places, and what depends on a module's kind.

mod arrays;
mod files;
mod inputs;
mod linked;
mod modules;
mod outlook;

pub use outlook::{check, outline};

use crate::catalogue::{Ambiguous, Catalogue, ModuleFacts};
use crate::definition::{Definition, Node};
use crate::params::fill::Filler;
use crate::params::{self, Values};
use crate::parse::parse;
use crate::report::Report;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wasmhost_proto::Digest;
use wasmhost_proto::api::{Diagnostic, SubmitRequest};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{MAX_ARRAY, MAX_ITEMS_BYTES};
use wasmhost_proto::plan::{JobPlan, NodePlan};

/// A compiled job.
#[derive(Clone, PartialEq, Debug)]
pub struct Planned {
    /// The plan.
    pub plan: JobPlan,
    /// Content that the plan names and the definition holds, such as scripts: to be
    /// stored before the job is. Each once.
    pub blobs: Vec<(BlobRef, Vec<u8>)>,
    /// Modules that get imports from libraries: what the definition names, and the
    /// module in the plan, which is composed of it.
    pub composed: BTreeMap<Digest, Digest>,
}

/// Compiles a submission: parses, resolves, checks. Whether the named blobs
/// exist is for the caller to see.
pub fn plan(
    request: &SubmitRequest,
    catalogue: &dyn Catalogue,
) -> Result<Planned, Vec<Diagnostic>> {
    let definition = parse(&request.definition)?;
    let values = params::values(&definition, &request.params);
    let values = values.map_err(|mistakes| params::told(mistakes, &request.definition))?;
    compile(request, catalogue, &definition, &values)
}

/// Compiles a definition that is to be kept: as a submission is, but parameters that
/// must be given need not be, and what they decide is left empty. Not to be run.
pub fn draft(
    request: &SubmitRequest,
    catalogue: &dyn Catalogue,
) -> Result<Planned, Vec<Diagnostic>> {
    let definition = parse(&request.definition)?;
    let values = params::known(&definition, &request.params);
    let values = values.map_err(|mistakes| params::told(mistakes, &request.definition))?;
    compile(request, catalogue, &definition, &values)
}

fn compile(
    request: &SubmitRequest,
    catalogue: &dyn Catalogue,
    definition: &Definition,
    values: &Values,
) -> Result<Planned, Vec<Diagnostic>> {
    let mut planner = Planner::new(request, Some(catalogue), definition, values);
    let nodes = definition.nodes.iter().map(|node| planner.node(node));
    let nodes: Vec<Option<NodePlan>> = nodes.collect();
    planner.bounds(&nodes);
    match nodes.into_iter().collect::<Option<Vec<_>>>() {
        Some(nodes) if planner.report.is_empty() => Ok(Planned {
            composed: linked::composed(&planner.linked),
            blobs: planner.blobs.into_values().collect(),
            plan: job(definition, values, nodes),
        }),
        _ => Err(planner.report.finish()),
    }
}

fn job(definition: &Definition, values: &Values, nodes: Vec<NodePlan>) -> JobPlan {
    let params = values.iter();
    JobPlan {
        name: definition.job_name(),
        description: definition.job.description.clone(),
        priority: definition.job.priority,
        queue_ms: definition.job.queue_ms,
        total_ms: definition.job.total_ms,
        on_failure: definition.job.on_failure,
        concurrency: definition.job.concurrency,
        publishes: definition.job.publishes.clone(),
        submitted_by: None,
        params: params
            .map(|(name, value)| (name.clone(), value.json.to_string()))
            .collect(),
        nodes,
        definition: None,
        serves: false,
    }
}

pub(crate) struct Planner<'a> {
    pub(crate) report: Report<'a>,
    request: &'a SubmitRequest,
    /// None where there is none to ask.
    pub(crate) catalogue: Option<&'a dyn Catalogue>,
    definition: &'a Definition,
    values: &'a Values,
    filler: Filler<'a>,
    /// Answers of the catalogue: a graph may name one module ten thousand times.
    found: HashMap<String, Result<Option<ModuleFacts>, Ambiguous>>,
    /// What the modules named become with their libraries.
    linked: BTreeMap<Digest, linked::Found>,
    blobs: BTreeMap<Digest, (BlobRef, Vec<u8>)>,
    /// Scripts in files that were looked at.
    looked: BTreeSet<String>,
    /// Bytes of items so far, over all nodes: a list may be named by many.
    items_bytes: usize,
}

impl<'a> Planner<'a> {
    fn new(
        request: &'a SubmitRequest,
        catalogue: Option<&'a dyn Catalogue>,
        definition: &'a Definition,
        values: &'a Values,
    ) -> Planner<'a> {
        Planner {
            report: Report::new(&request.definition),
            request,
            catalogue,
            definition,
            values,
            filler: Filler::new(values, MAX_ITEMS_BYTES),
            found: HashMap::new(),
            linked: BTreeMap::new(),
            blobs: BTreeMap::new(),
            looked: BTreeSet::new(),
            items_bytes: 0,
        }
    }

    fn node(&mut self, node: &Node) -> Option<NodePlan> {
        let module = self.module(node);
        if module.is_none() {
            self.unresolved(node);
        }
        let module = module.and_then(|module| self.linked(node, module));
        let array = self.array(node);
        let script = self.script(node);
        let input = module.and_then(|module| self.input(node, module.kind));
        let (args, env, config) = self.texts(node);
        let (module, array, input, script) = (module?, array?, input?, script?);
        self.fits_kind(node, module.kind);
        self.sends_what_it_asks(node, module);
        let grants = self.grants(node);
        let files = self.files_of(node)?;
        Some(NodePlan {
            name: node.name.clone(),
            module: module.digest,
            module_len: module.len,
            kind: module.kind,
            array,
            input,
            args,
            env,
            config,
            limits: node.limits,
            retry: node.retry.clone(),
            after: node.after.clone(),
            script,
            when: node.when.as_ref().map(|when| when.value.clone()),
            tolerate: node.tolerate,
            concurrency: node.concurrency,
            priority: node.priority,
            driver: node.driver,
            grants,
            files,
        })
    }

    /// What all nodes together may have.
    fn bounds(&mut self, nodes: &[Option<NodePlan>]) {
        let counts = nodes.iter().flatten().map(|node| node.array.count());
        let tasks: u64 = counts.map(u64::from).sum();
        if tasks > MAX_ARRAY {
            let message = format!("the job has {tasks} tasks, and may have {MAX_ARRAY}");
            self.report.add(
                "too-large",
                None,
                message,
                "let each index do more of the work",
            );
        }
        if self.items_bytes > MAX_ITEMS_BYTES || self.filler.is_over() {
            let message = format!("items and parameters fill more than {MAX_ITEMS_BYTES} bytes");
            self.report
                .add("too-large", None, message, "put the data into files");
        }
    }

    /// Content that comes with the definition.
    fn keep(&mut self, bytes: &[u8]) -> BlobRef {
        let digest = Digest(Sha256::digest(bytes).into());
        let blob = BlobRef {
            digest,
            len: bytes.len() as u64,
        };
        let made = || (blob.clone(), bytes.to_vec());
        self.blobs.entry(digest).or_insert_with(made);
        blob
    }
}
