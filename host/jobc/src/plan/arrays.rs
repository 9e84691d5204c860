//! Arrays: how many indexes, and what each stands for.

use super::Planner;
use crate::array::{count_fits, numbers};
use crate::definition::{ArraySource, Bound, List, Node};
use crate::read::clip;
use serde_json::Value as Json;
use wasmhost_proto::input::{Array, Item};
use wasmhost_proto::limits::{MAX_ITEM_BYTES, MAX_ITEMS_BYTES};

impl<'a> Planner<'a> {
    pub(super) fn array(&mut self, node: &Node) -> Option<Array> {
        let Some(array) = &node.array else {
            return Some(Array::Single);
        };
        let array = match &array.value {
            ArraySource::Range { .. } => match self.range(node)? {
                Some((start, step, count)) => Array::Range { start, step, count },
                None => Array::Items(Vec::new()),
            },
            ArraySource::Items(texts) => {
                Array::Items(texts.iter().cloned().map(Item::Json).collect())
            }
            ArraySource::ItemsOf(name) => {
                let items = self.items_of(node, name)?.unwrap_or_default();
                Array::Items(
                    items
                        .iter()
                        .map(|item| Item::Json(item.to_string()))
                        .collect(),
                )
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
            ArraySource::Results(of) => Array::Results(*of),
            ArraySource::Elements(of) => Array::Elements(*of),
            ArraySource::Spawned(of) => Array::Spawned(*of),
        };
        Some(array)
    }

    /// Start, step and count; inner none when a parameter has no value yet.
    pub(super) fn range(&mut self, node: &Node) -> Option<Option<(i64, i64, u32)>> {
        let array = node.array.as_ref()?;
        let ArraySource::Range { start, end, step } = &array.value else {
            return None;
        };
        let mut read = |bound: &Bound| match bound {
            Bound::Number(number) => Some(Some(*number)),
            Bound::Param(name) => match self.values.get(name).map(|value| &value.json) {
                None => Some(None),
                Some(value) => match value.as_i64() {
                    Some(number) => Some(Some(number)),
                    None => {
                        let message = format!("the parameter `{name}` has no value");
                        self.report.add(
                            "missing-param",
                            Some(&array.at),
                            message,
                            "the array needs it",
                        );
                        None
                    }
                },
            },
        };
        let (Some(start), Some(end), Some(step)) = (read(start)?, read(end)?, read(step)?) else {
            return Some(None);
        };
        match numbers(start, end, step) {
            Ok(count) => Some(Some((start, step, count))),
            Err(fault) => {
                self.report
                    .add(fault.code, Some(&array.at), fault.message, fault.help);
                None
            }
        }
    }

    /// The values of a list; inner none when it is not given yet.
    pub(super) fn items_of(&mut self, node: &Node, name: &str) -> Option<Option<&'a [Json]>> {
        let at = &node.array.as_ref()?.at;
        let values = self.values;
        let Some(value) = values.get(name) else {
            return Some(None);
        };
        let items = value.json.as_array().map(Vec::as_slice).unwrap_or_default();
        count_fits(&mut self.report, &format!("params.{name}"), items.len(), at).then_some(())?;
        self.items_bytes += value.text.len();
        Some(Some(items))
    }

    fn files(&mut self, node: &Node, labels: &[String]) -> Option<Vec<Item>> {
        let at = &node.array.as_ref()?.at;
        let items = labels.iter().map(|label| {
            Some(Item::File {
                path: label.clone(),
                blob: self.file(label, label, at)?,
            })
        });
        items.collect::<Vec<_>>().into_iter().collect()
    }

    /// The items that the client listed, neither none nor too many.
    pub(super) fn labels(&mut self, node: &Node, list: &List) -> Option<&'a [String]> {
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
        let bytes: usize = labels.iter().map(|label| label.len() + 1).sum();
        self.items_bytes += bytes;
        // All nodes together are told of once, at the end; none goes on copying.
        (self.items_bytes <= MAX_ITEMS_BYTES).then_some(labels)
    }
}
