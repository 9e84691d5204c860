//! Which blobs a record names. A kind of record that begins to name blobs has
//! to be added here, or its blobs are collected as garbage.

use wasmhost_core::prepared::PreparedRecord;
use wasmhost_core::record::{
    DefinitionBody, DefinitionHead, JobRecord, LibraryRecord, ModuleRecord, OutcomeRecord,
    StoredResult,
};
use wasmhost_proto::Digest;
use wasmhost_proto::input::{Array, Input, Item};
use wasmhost_proto::plan::{JobPlan, NodeInput};
use wasmhost_proto::wire::ResultData;

/// The blobs of a module: its bytes.
pub(crate) fn in_module(module: &ModuleRecord) -> impl Iterator<Item = Digest> {
    std::iter::once(module.digest)
}

/// The blob of a library: its bytes.
pub(crate) fn in_library(library: &LibraryRecord) -> Digest {
    library.digest
}

/// The blobs that a plan names: modules, so that an old job can be retried after
/// its module's name is gone, shared inputs and files.
pub fn in_plan(plan: &JobPlan) -> impl Iterator<Item = Digest> + '_ {
    plan.nodes.iter().flat_map(|node| {
        let input = match &node.input {
            NodeInput::Given(Input::Blob(blob)) => Some(blob.digest),
            _ => None,
        };
        let items: &[Item] = match &node.array {
            Array::Items(items) => items,
            _ => &[],
        };
        let files = items.iter().filter_map(|item| match item {
            Item::File { blob, .. } => Some(blob.digest),
            Item::Json(_) | Item::Bytes(_) => None,
        });
        let named = node.files.iter().flat_map(|files| files.blobs());
        let script = node.script.as_ref().map(|script| script.source.digest);
        std::iter::once(node.module)
            .chain(script)
            .chain(input)
            .chain(files)
            .chain(named.map(|blob| blob.digest))
    })
}

/// The modules of a version of a stored definition.
pub(crate) fn in_head(head: &DefinitionHead) -> impl Iterator<Item = Digest> + '_ {
    head.modules.values().copied()
}

/// The uploaded files of a version of a stored definition.
pub(crate) fn in_body(body: &DefinitionBody) -> impl Iterator<Item = Digest> + '_ {
    body.files.values().map(|blob| blob.digest)
}

/// The blobs of a job's changing half: gathered inputs.
pub(crate) fn in_job(job: &JobRecord) -> impl Iterator<Item = Digest> + '_ {
    job.gathered.iter().map(|(_, blob)| blob.digest)
}

/// The blob of a prepared node: its input.
pub(crate) fn in_prepared(record: &PreparedRecord) -> Option<Digest> {
    match record {
        PreparedRecord::Run {
            input: Some(StoredResult::Blob(blob)),
            ..
        } => Some(blob.digest),
        PreparedRecord::Run { .. } | PreparedRecord::Skipped => None,
    }
}

/// The blob of a recorded end: a large result.
pub(crate) fn in_outcome(outcome: &OutcomeRecord) -> Option<Digest> {
    match &outcome.result {
        Some(StoredResult::Blob(blob)) => Some(blob.digest),
        _ => None,
    }
}

/// The blob of a checkpoint or of a part of an output: a large one.
pub(crate) fn in_content(content: &ResultData) -> Option<Digest> {
    match content {
        ResultData::Blob(blob) => Some(blob.digest),
        ResultData::Inline(_) => None,
    }
}
