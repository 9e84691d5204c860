//! The nodes of a job as a table: in their order, with what they wait for, and why some
//! of them do not run.

use super::human::{duration, line, memory, number};
use super::lists::short;
use super::style::Tone;
use super::table::{render, table};
use comfy_table::Cell;
use std::collections::HashMap;
use wasmhost_proto::api::{JobView, NodeView};
use wasmhost_proto::limits::MAX_NAME;
use wasmhost_proto::wire::AttemptLimits;

/// Names in one cell.
const NAMES: usize = 3;
/// Characters of a condition in one cell.
const WHEN: usize = 48;

/// The nodes of a job.
pub(crate) fn nodes(job: &JobView) -> String {
    let by_name: HashMap<&str, &NodeView> =
        job.nodes.iter().map(|n| (n.name.as_str(), n)).collect();
    let conditional =
        |node: &NodeView| node.when.is_some() || node.skipped || node.spawned_by.is_some();
    // A reduce after its array needs no column to be understood.
    let graph = job.nodes.len() > 2 || job.nodes.iter().any(conditional);
    match graph {
        true => graph_table(job, &by_name),
        false => plain_table(job),
    }
}

fn plain_table(job: &JobView) -> String {
    let headings = [
        "NODE",
        "MODULE",
        ">TASKS",
        ">WAITING",
        ">RUNNING",
        ">SUCCEEDED",
        ">FAILED",
        ">CANCELLED",
        "LIMITS",
    ];
    let mut out = table(&headings);
    for node in &job.nodes {
        let c = &node.counts;
        out.add_row(vec![
            Cell::new(line(&node.name, MAX_NAME)),
            Cell::new(short(&node.module)),
            Cell::new(total(node)),
            Cell::new(number(c.waiting)),
            Cell::new(number(c.running)),
            Cell::new(number(c.succeeded)),
            failed(node).cell(number(c.failed)),
            Cell::new(number(c.cancelled)),
            Cell::new(limits(&node.limits)),
        ]);
    }
    render(&out)
}

fn graph_table(job: &JobView, by_name: &HashMap<&str, &NodeView>) -> String {
    let headings = [
        "NODE",
        "AFTER",
        ">TASKS",
        ">WAITING",
        ">RUNNING",
        ">SUCCEEDED",
        ">FAILED",
        ">CANCELLED",
        "WHAT",
    ];
    let mut out = table(&headings);
    for node in &job.nodes {
        let c = &node.counts;
        let after = node.after.iter().map(String::as_str);
        out.add_row(vec![
            Cell::new(line(&node.name, MAX_NAME)),
            Cell::new(names(after)),
            Cell::new(total(node)),
            Cell::new(blank(c.waiting)),
            Cell::new(blank(c.running)),
            Cell::new(blank(c.succeeded)),
            failed(node).cell(blank(c.failed)),
            Cell::new(blank(c.cancelled)),
            Cell::new(what(job, node, by_name)),
        ]);
    }
    render(&out)
}

fn blank(n: u64) -> String {
    if n == 0 { String::new() } else { number(n) }
}

fn failed(node: &NodeView) -> Tone {
    match node.counts.failed {
        0 => Tone::Plain,
        n if n <= u64::from(node.tolerate) => Tone::Warn,
        _ => Tone::Bad,
    }
}

fn total(node: &NodeView) -> String {
    match (node.open_ended, &node.spawned_by) {
        (true, None) => "?".into(),
        (true, Some(_)) => format!("{} so far", number(node.counts.total)),
        (false, _) => number(node.counts.total),
    }
}

fn is_over(node: &NodeView) -> bool {
    !node.open_ended && node.counts.waiting + node.counts.running == 0
}

/// Some names, and how many more there are.
fn names<'a>(mut all: impl Iterator<Item = &'a str>) -> String {
    let some: Vec<String> = all
        .by_ref()
        .take(NAMES)
        .map(|n| line(n, MAX_NAME))
        .collect();
    match all.count() {
        0 => some.join(", "),
        n => format!("{} and {n} more", some.join(", ")),
    }
}

/// The one thing to know of a node.
fn what(job: &JobView, node: &NodeView, by_name: &HashMap<&str, &NodeView>) -> String {
    if node.skipped {
        return match &node.when {
            Some(when) => format!("skipped: not {}", line(when, WHEN)),
            None => "skipped: so was all before it".into(),
        };
    }
    let begun = node.counts.running + node.counts.succeeded + node.counts.failed > 0;
    if !is_over(node) && !begun && !job.state.is_final() {
        let open = node.after.iter().map(String::as_str);
        let open = open.filter(|name| by_name.get(name).is_some_and(|n| !is_over(n)));
        let open: Vec<&str> = open.collect();
        if !open.is_empty() {
            return format!("waits for {}", names(open.into_iter()));
        }
        if node.open_ended && node.spawned_by.is_none() {
            return "its items are being put together".into();
        }
    }
    let mut facts = Vec::new();
    if let Some(driver) = &node.spawned_by {
        facts.push(format!("started by {}", line(driver, MAX_NAME)));
    }
    if let Some(when) = &node.when {
        facts.push(format!("when {}", line(when, WHEN)));
    }
    if let Some(n) = node.concurrency {
        facts.push(format!("{n} at once"));
    }
    match node.tolerate {
        0 => {}
        u32::MAX => facts.push("all may fail".into()),
        n => facts.push(format!("{n} may fail")),
    }
    facts.join(", ")
}

fn limits(limits: &AttemptLimits) -> String {
    format!(
        "{}, {} memory, {} output",
        duration(limits.wall_ms),
        memory(limits.memory),
        memory(limits.output)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wasmhost_proto::api::{Counts, JobState};
    use wasmhost_proto::ids::Digest;
    use wasmhost_proto::{JobId, Timestamp};

    fn node(name: &str, after: &[&str], total: u64) -> NodeView {
        NodeView {
            name: name.into(),
            module: Digest([7; 32]),
            array: total > 1,
            counts: Counts {
                total,
                waiting: total,
                ..Counts::default()
            },
            spawned_by: None,
            open_ended: false,
            limits: AttemptLimits::default(),
            after: after.iter().map(|name| (*name).to_owned()).collect(),
            when: None,
            skipped: false,
            tolerate: 0,
            concurrency: None,
            grants: None,
        }
    }

    #[test]
    fn a_graph_tells_what_its_nodes_wait_for() {
        let mut nodes = vec![
            node("split", &[], 1),
            node("map", &["split"], 0),
            node("no", &["split"], 1),
            node("after-no", &["no"], 1),
            node("render", &["split"], 9),
            node("end", &["map", "render", "after-no"], 1),
        ];
        let ended = |node: &mut NodeView| {
            node.counts = Counts {
                total: 1,
                succeeded: 1,
                ..Counts::default()
            };
        };
        ended(&mut nodes[0]);
        nodes[1].open_ended = true;
        for skipped in [2, 3] {
            nodes[skipped].skipped = true;
            nodes[skipped].counts = Counts {
                total: 1,
                skipped: 1,
                ..Counts::default()
            };
        }
        nodes[2].when = Some("results.split.rows > 3".into());
        nodes[4].concurrency = Some(2);
        nodes[4].tolerate = 1;
        (nodes[4].counts.waiting, nodes[4].counts.running) = (7, 2);
        let job = JobView {
            id: JobId(1),
            name: "graph".into(),
            description: String::new(),
            state: JobState::Running,
            priority: 0,
            submitted: Timestamp(0),
            started: None,
            ended: None,
            counts: Counts::default(),
            nodes,
            definition: None,
            params: std::collections::BTreeMap::new(),
            failure: None,
            late_outcomes: 0,
            submitted_by: None,
        };
        let text = anstream::adapter::strip_str(&super::nodes(&job)).to_string();
        insta::assert_snapshot!(text);
    }
}
