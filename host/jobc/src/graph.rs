//! The order of tasks: each after all that it waits for, else in the order of the
//! text. Circles are named as a whole. Linear in tasks and links, but for the heap.

use crate::definition::{ArraySource, InputSource, Node};
use crate::report::Report;
use crate::scope::{Link, Names};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use wasmhost_proto::NodeIndex;
use wasmhost_proto::limits::MAX_DIAGNOSTICS;

/// Names shown of a circle.
const SHOWN: usize = 24;

/// The order of tasks, or none with every circle reported. `links` are those of each
/// task, in the order of the text.
pub(crate) fn order(
    report: &mut Report<'_>,
    names: &Names,
    links: &[Vec<Link>],
) -> Option<Vec<NodeIndex>> {
    let mut waiting = Waiting::new(links);
    let order = waiting.run();
    if order.len() == links.len() {
        return Some(order);
    }
    for _ in 0..MAX_DIAGNOSTICS {
        let Some(circle) = waiting.circle() else {
            break;
        };
        let mut shown: Vec<&str> = (circle.iter().take(SHOWN))
            .map(|node| names.order[usize::from(*node)].as_str())
            .collect();
        let more;
        if circle.len() > SHOWN {
            more = format!("… {} more", circle.len() - SHOWN);
            shown.push(&more);
        }
        let first = names.order[usize::from(circle[0])].as_str();
        let message = match circle.len() {
            1 => format!("the task `{first}` waits for itself"),
            _ => format!("tasks wait for each other: {} → {first}", shown.join(" → ")),
        };
        let next = circle[1 % circle.len()];
        let at = links[usize::from(circle[0])]
            .iter()
            .find(|link| link.to == next);
        let help = "each waits for the next: take out one link";
        report.add("cycle", at.map(|link| &link.at), message, help);
        // What is behind the circle may hold others.
        waiting.release(&circle);
        waiting.run();
    }
    None
}

/// Tasks that are not in the order yet.
struct Waiting<'l> {
    links: &'l [Vec<Link>],
    followers: Vec<Vec<NodeIndex>>,
    /// How many links of each task lead to tasks that are not in the order.
    open: Vec<usize>,
    done: Vec<bool>,
    ready: BinaryHeap<Reverse<NodeIndex>>,
}

impl<'l> Waiting<'l> {
    fn new(links: &'l [Vec<Link>]) -> Waiting<'l> {
        let mut followers = vec![Vec::new(); links.len()];
        for (links, node) in links.iter().zip(0..) {
            for link in links {
                followers[usize::from(link.to)].push(node);
            }
        }
        let open: Vec<usize> = links.iter().map(Vec::len).collect();
        let ready = open.iter().zip(0..).filter(|(open, _)| **open == 0);
        Waiting {
            ready: ready.map(|(_, node)| Reverse(node)).collect(),
            done: vec![false; links.len()],
            links,
            followers,
            open,
        }
    }

    /// Takes all that wait for nothing, in the order of the text.
    fn run(&mut self) -> Vec<NodeIndex> {
        let mut order = Vec::new();
        while let Some(Reverse(node)) = self.ready.pop() {
            self.finish(node);
            order.push(node);
        }
        order
    }

    fn finish(&mut self, node: NodeIndex) {
        self.done[usize::from(node)] = true;
        for follower in std::mem::take(&mut self.followers[usize::from(node)]) {
            let open = &mut self.open[usize::from(follower)];
            *open -= 1;
            if *open == 0 && !self.done[usize::from(follower)] {
                self.ready.push(Reverse(follower));
            }
        }
    }

    /// A circle among those that still wait: each of them waits for another.
    fn circle(&self) -> Option<Vec<NodeIndex>> {
        let mut node = NodeIndex::try_from(self.done.iter().position(|done| !done)?).ok()?;
        let mut step = vec![None; self.done.len()];
        let mut path = Vec::new();
        loop {
            if let Some(start) = step[usize::from(node)] {
                return Some(path.split_off(start));
            }
            step[usize::from(node)] = Some(path.len());
            path.push(node);
            let links = self.links[usize::from(node)].iter();
            node = links
                .map(|link| link.to)
                .find(|to| !self.done[usize::from(*to)])?;
        }
    }

    fn release(&mut self, circle: &[NodeIndex]) {
        for node in circle {
            self.done[usize::from(*node)] = true;
        }
        for node in circle {
            self.finish(*node);
        }
    }
}

/// Puts nodes into their order; what they name is renumbered.
pub(crate) fn arrange(nodes: Vec<Node>, order: &[NodeIndex]) -> Vec<Node> {
    let mut place = vec![0; nodes.len()];
    for (node, new) in order.iter().zip(0..) {
        place[usize::from(*node)] = new;
    }
    let to = |node: &mut NodeIndex| *node = place[usize::from(*node)];
    let mut nodes: Vec<(NodeIndex, Node)> = place.iter().copied().zip(nodes).collect();
    nodes.sort_by_key(|(place, _)| *place);
    let nodes = nodes.into_iter().map(|(_, mut node)| {
        node.after.iter_mut().for_each(to);
        node.after.sort_unstable();
        node.after.dedup();
        if let Some(array) = &mut node.array
            && let ArraySource::Results(of) | ArraySource::Elements(of) | ArraySource::Spawned(of) =
                &mut array.value
        {
            to(of);
        }
        match node.input.as_mut().map(|input| &mut input.value) {
            Some(InputSource::Gather(of) | InputSource::Result(of)) => to(of),
            Some(InputSource::Join(several)) => several.iter_mut().for_each(to),
            _ => {}
        }
        node
    });
    nodes.collect()
}
