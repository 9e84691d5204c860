//! Finds out what there is to do in a node once the nodes before it have ended: whether
//! its condition holds, its items, its input. Reads results page by page; holds in memory
//! what the limits allow, and never all results. The same question has the same answer,
//! for what it is answered from is durable.

mod condition;
mod draft;
mod input;
mod items;
mod results;

pub(super) use items::with_items;

use self::results::Results;
use super::Shared;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmhost_core::prepared::{Preparation, Prepared};
use wasmhost_proto::limits::{MAX_BLOB, MAX_ITEM_BYTES, MAX_ITEMS, MAX_ITEMS_BYTES};
use wasmhost_proto::plan::NodePlan;
use wasmhost_store::{BlobError, StoreError};

/// Why a node could not be prepared.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("its condition '{when}' has no value: {why}")]
    Condition { when: String, why: String },
    #[error("the results together are over the limit of {MAX_BLOB} bytes for one input")]
    TooLarge,
    #[error("its input cannot be written: {0}")]
    Blob(BlobError),
    #[error("a result cannot be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("the result {0} is not in the store any more")]
    Missing(String),
    #[error("the result {0} is neither JSON nor text, and cannot be part of a JSON input")]
    NotText(String),
    #[error("its tasks are made of the result {0}, which is not a JSON list: {1}")]
    NotAList(String, String),
    #[error("there are over {MAX_ITEMS} items, the limit for one array")]
    TooManyItems,
    #[error(
        "its items together are over the limit of {MAX_ITEMS_BYTES} bytes; \
         let the tasks before it return larger results, which travel as files, or fewer"
    )]
    ItemsTooLarge,
    #[error("item {0} is over the limit of {MAX_ITEM_BYTES} bytes for one item")]
    ItemTooLarge(usize),
    #[error("the job has no such node")]
    NoNode,
    #[error("the primary is shutting down")]
    Stopping,
}

impl From<BlobError> for PrepareError {
    fn from(error: BlobError) -> PrepareError {
        match error {
            BlobError::TooLarge { .. } => PrepareError::TooLarge,
            other => PrepareError::Blob(other),
        }
    }
}

/// Answers once it is its turn; the error is for people.
pub(super) async fn prepare(
    shared: Arc<Shared>,
    turn: Arc<Semaphore>,
    what: Arc<Preparation>,
) -> Result<Prepared, String> {
    let _turn = turn.acquire_owned().await.map_err(|e| e.to_string())?;
    let find_out = move || match answer(&shared, &what) {
        Err(PrepareError::Store(error)) => super::fatal(&error),
        Err(error) => {
            let name = what.plan.nodes.get(usize::from(what.node));
            let name = name.map_or("", |node| node.name.as_str());
            Err(format!("task '{name}' cannot begin: {error}"))
        }
        Ok(prepared) => Ok(prepared),
    };
    tokio::task::spawn_blocking(find_out)
        .await
        .map_err(|e| e.to_string())?
}

fn answer(shared: &Shared, what: &Preparation) -> Result<Prepared, PrepareError> {
    let results = Results {
        store: &*shared.store,
        blobs: &shared.blobs,
        plan: &what.plan,
        job: what.job,
        stop: &shared.stop,
    };
    let node: &NodePlan = results.node(what.node)?;
    if let Some(when) = &node.when
        && !condition::holds(&results, what, when)?
    {
        return Ok(Prepared::Skipped);
    }
    Ok(Prepared::Run {
        input: input::of(&results, node)?,
        items: items::of(&results, node)?,
    })
}
