//! The items of arrays that are made of results.

use super::PrepareError;
use super::results::Results;
use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wasmhost_core::prepared::PreparedRecord;
use wasmhost_core::record::{RecordedEnd, RecoveredJob, StoredResult};
use wasmhost_proto::NodeIndex;
use wasmhost_proto::input::{Array, Item};
use wasmhost_proto::limits::{MAX_ITEM_BYTES, MAX_ITEMS, MAX_ITEMS_BYTES};
use wasmhost_proto::plan::NodePlan;
use wasmhost_store::{Blobs, Store};

/// What each item costs beside its bytes.
const OVERHEAD: usize = 32;

#[derive(Default)]
struct Items {
    items: Vec<Item>,
    bytes: usize,
}

impl Items {
    fn push(&mut self, item: Item) -> Result<(), PrepareError> {
        let size = match &item {
            Item::Json(text) => text.len(),
            Item::File { path, .. } => path.len() + OVERHEAD,
            Item::Bytes(bytes) => bytes.len(),
        };
        if size > MAX_ITEM_BYTES {
            return Err(PrepareError::ItemTooLarge(self.items.len()));
        }
        if self.items.len() == MAX_ITEMS {
            return Err(PrepareError::TooManyItems);
        }
        self.bytes += size;
        if self.bytes > MAX_ITEMS_BYTES {
            return Err(PrepareError::ItemsTooLarge);
        }
        self.items.push(item);
        Ok(())
    }
}

/// The items of a node; none when the plan has them.
pub(super) fn of(results: &Results, node: &NodePlan) -> Result<Option<Arc<[Item]>>, PrepareError> {
    let mut items = Items::default();
    match &node.array {
        Array::Results(from) => results.each(*from, |found| {
            let name = results.name(found.task);
            items.push(match found.result {
                StoredResult::Inline(bytes) => Item::Bytes(bytes),
                StoredResult::Blob(blob) => Item::File { path: name, blob },
            })
        })?,
        Array::Elements(from) => elements(results, *from, &mut items)?,
        Array::Single | Array::Range { .. } | Array::Items(_) | Array::Spawned(_) => {
            return Ok(None);
        }
    }
    Ok(Some(items.items.into()))
}

fn elements(results: &Results, from: NodeIndex, items: &mut Items) -> Result<(), PrepareError> {
    // A task that did not succeed has no elements.
    let Some(found) = results.single(from)? else {
        return Ok(());
    };
    let text = results.bytes(&found, MAX_ITEMS_BYTES as u64)?;
    let text = text.ok_or(PrepareError::ItemsTooLarge)?;
    let mut reader = serde_json::Deserializer::from_slice(&text);
    let mut refused = None;
    let seed = Elements {
        items,
        refused: &mut refused,
    };
    let read = seed.deserialize(&mut reader).and_then(|()| reader.end());
    match (refused, read) {
        (Some(refused), _) => Err(refused),
        (None, Err(e)) => Err(PrepareError::NotAList(
            results.name(found.task),
            e.to_string(),
        )),
        (None, Ok(())) => Ok(()),
    }
}

/// Takes a JSON list apart, one element in memory at a time.
struct Elements<'a> {
    items: &'a mut Items,
    refused: &'a mut Option<PrepareError>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<Value>()? {
            if let Err(refused) = self.items.push(Item::Json(element.to_string())) {
                *self.refused = Some(refused);
                return Err(A::Error::custom("an item is refused"));
            }
        }
        Ok(())
    }
}

/// A job as its store gives it back, with the items that are made of what the store
/// holds. Those that cannot be read any more are left out: the core knows what to do.
pub(in crate::primary) fn with_items(
    store: &dyn Store,
    blobs: &Blobs,
    mut job: RecoveredJob,
) -> RecoveredJob {
    let stop = CancellationToken::new();
    let results = Results {
        store,
        blobs,
        plan: &job.plan,
        job: job.record.id,
        stop: &stop,
    };
    let mut succeeded: HashMap<NodeIndex, u32> = HashMap::new();
    let successes = job
        .ended
        .iter()
        .filter(|end| end.2 == RecordedEnd::Succeeded);
    successes.for_each(|(n, _, _)| *succeeded.entry(*n).or_default() += 1);
    let runs = job.prepared.iter().filter_map(|(n, record)| match record {
        // What has succeeded as a whole is not asked for again.
        PreparedRecord::Run { count, .. } if succeeded.get(n) == count.as_ref() => None,
        PreparedRecord::Run { count: Some(_), .. } => Some(*n),
        PreparedRecord::Run { count: None, .. } | PreparedRecord::Skipped => None,
    });
    let items = runs.filter_map(|n| {
        let found = results.node(n).and_then(|node| of(&results, node));
        match found {
            Ok(items) => Some((n, items?)),
            Err(error) => {
                tracing::error!(job = %job.record.id, node = n, %error, "items are lost");
                None
            }
        }
    });
    job.items = items.collect();
    job
}
