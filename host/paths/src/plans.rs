//! Plans of the jobs that the paths run.

use wasmhost_proto::input::Array;
use wasmhost_proto::plan::{JobPlan, NodePlan};
use wasmhost_proto::{Digest, NodeIndex};

/// The module that all tasks run.
pub const MODULE: Digest = Digest([1; 32]);

/// A job of one array of numbers.
pub fn array(count: u32) -> JobPlan {
    job(vec![node("map".into(), count, vec![])])
}

/// A job of `nodes` arrays of about `tasks / nodes` tasks each. Each waits for up to
/// three of the hundred before it. The same for the same numbers.
pub fn graph(nodes: u16, tasks: u32) -> JobPlan {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mean = u64::from(tasks) / u64::from(nodes);
    let mut left = tasks;
    let all = (0..nodes).map(|n| {
        let rest = u32::from(nodes - n - 1);
        // From 1 to twice the mean, and what is left in the end.
        let count = match rest {
            0 => left,
            _ => (1 + random.below(2 * mean - 1) as u32).min(left - rest),
        };
        left -= count;
        let mut after: Vec<NodeIndex> = match n {
            0 => vec![],
            _ => (0..random.below(4))
                .map(|_| n - 1 - random.below(u64::from(n.min(100))) as u16)
                .collect(),
        };
        after.sort_unstable();
        after.dedup();
        node(format!("n{n}"), count, after)
    });
    job(all.collect())
}

fn job(nodes: Vec<NodePlan>) -> JobPlan {
    JobPlan {
        name: "paths".into(),
        nodes,
        ..JobPlan::default()
    }
}

fn node(name: String, count: u32, after: Vec<NodeIndex>) -> NodePlan {
    let array = match count {
        1 => Array::Single,
        _ => Array::Range {
            start: 0,
            step: 1,
            count,
        },
    };
    NodePlan {
        name,
        module: MODULE,
        module_len: 100_000,
        array,
        after,
        ..NodePlan::default()
    }
}

/// Xorshift: enough to scatter edges.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_have_the_tasks_asked_for_and_point_backwards() {
        for (nodes, tasks) in [(1, 1), (10, 10), (100, 10_000), (10_000, 1_000_000)] {
            let plan = graph(nodes, tasks);
            assert_eq!(plan.nodes.len(), usize::from(nodes));
            let sum: u32 = plan.nodes.iter().map(|n| n.array.count()).sum();
            assert_eq!(sum, tasks);
            for (n, node) in plan.nodes.iter().enumerate() {
                assert!(node.array.count() > 0);
                assert!(node.after.iter().all(|a| usize::from(*a) < n));
            }
        }
    }
}
