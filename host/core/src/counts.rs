//! Counts by node, shared in pieces between the versions of a job's record: a job may
//! have ten thousand nodes, and each commit holds a version.

use serde::{Deserialize, Serialize};
use std::ops::Index;
use std::sync::Arc;
use wasmhost_proto::api::Counts;

/// Nodes in a piece.
const PIECE: usize = 64;

/// How many tasks are where, by node.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Counts>", into = "Vec<Counts>")]
pub struct NodeCounts(Vec<Arc<Vec<Counts>>>);

impl NodeCounts {
    /// In the order of the nodes.
    pub fn iter(&self) -> impl Iterator<Item = &Counts> {
        self.0.iter().flat_map(|piece| piece.iter())
    }

    /// Those of one node; none when there is no such node.
    pub fn get(&self, node: usize) -> Option<&Counts> {
        self.0.get(node / PIECE)?.get(node % PIECE)
    }

    /// The same, to change.
    pub fn get_mut(&mut self, node: usize) -> Option<&mut Counts> {
        Arc::make_mut(self.0.get_mut(node / PIECE)?).get_mut(node % PIECE)
    }
}

impl From<Vec<Counts>> for NodeCounts {
    fn from(counts: Vec<Counts>) -> NodeCounts {
        let pieces = counts.chunks(PIECE).map(|piece| Arc::new(piece.to_vec()));
        NodeCounts(pieces.collect())
    }
}

impl From<NodeCounts> for Vec<Counts> {
    fn from(counts: NodeCounts) -> Vec<Counts> {
        counts.iter().copied().collect()
    }
}

impl FromIterator<Counts> for NodeCounts {
    fn from_iter<I: IntoIterator<Item = Counts>>(counts: I) -> NodeCounts {
        counts.into_iter().collect::<Vec<Counts>>().into()
    }
}

impl Index<usize> for NodeCounts {
    type Output = Counts;

    fn index(&self, node: usize) -> &Counts {
        &self.0[node / PIECE][node % PIECE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_leaves_earlier_versions_alone() {
        let some = |n| Counts {
            total: n,
            ..Counts::default()
        };
        let mut counts: NodeCounts = (0..200).map(some).collect();
        let before = counts.clone();
        for node in [0, 63, 64, 199] {
            assert_eq!(counts.get(node), Some(&some(node as u64)));
            counts.get_mut(node).into_iter().for_each(|c| c.total = 7);
            assert_eq!((counts[node].total, before[node].total), (7, node as u64));
        }
        assert_eq!(counts.get(200), None);
        assert_eq!(counts.get_mut(256), None);
        assert_eq!(Vec::from(before).len(), 200);
    }
}
