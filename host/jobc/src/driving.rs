//! Reads `driver` and `spawned_by`: a task that starts others, and those that it starts.

use crate::definition::{ArraySource, Asked, Node, Spot};
use crate::read::Fields;
use crate::report::Report;
use crate::scope::Scope;
use std::collections::BTreeSet;
use wasmhost_proto::limits::MAX_WALL_MS;

/// What a started task cannot say: when it runs and with what is its driver's to decide.
const DRIVERS: [&str; 6] = [
    "array",
    "input",
    "input_file",
    "input_from",
    "after",
    "when",
];

/// Reads whether a task is a driver: then it is a single one.
pub(crate) fn driver(report: &mut Report<'_>, table: &Fields<'_, '_>) -> bool {
    let driver = table.flag(report, "driver").unwrap_or(false);
    if let (true, Some(array)) = (driver, table.get("array")) {
        let message = format!("`{}`: a driver is a single task", table.path("array"));
        let help = "let it start the tasks of the array: they say `spawned_by`";
        report.add("conflict", Some(&array.span()), message, help);
    }
    driver
}

/// Reads by which task this one is started. That one comes first in the plan, and is
/// not waited for.
pub(crate) fn spawned_by(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    scope: &mut Scope<'_>,
) -> Option<Spot<ArraySource>> {
    let name = table.filled(report, "spawned_by")?;
    for key in DRIVERS {
        if let Some(value) = table.get(key) {
            let message = format!("`{}` is decided by its driver", table.path(key));
            let help = format!("take it out: `{}` gives each task its input", name.value);
            report.add("conflict", Some(&value.span()), message, help);
        }
    }
    Some(Spot {
        value: ArraySource::Spawned(scope.task(report, &name)?),
        at: name.at,
    })
}

/// The limits of a driver: it waits for others, as long as a job may take.
pub(crate) fn patience(driver: bool, asked: &Asked, wall_ms: u64) -> u64 {
    match asked.wall_ms {
        None if driver => MAX_WALL_MS,
        _ => wall_ms,
    }
}

/// Reports tasks that say they are started by what is no driver, and drivers that no
/// task names.
pub(crate) fn check(report: &mut Report<'_>, nodes: &[Node]) {
    for node in nodes {
        let Some(Spot {
            value: ArraySource::Spawned(of),
            at,
        }) = &node.array
        else {
            continue;
        };
        let driver = &nodes[usize::from(*of)];
        if !driver.driver {
            let message = format!("`{}` is no driver", driver.name);
            let help = format!("write `driver = true` below [tasks.{}]", driver.name);
            report.add("no-driver", Some(at), message, help);
        }
    }
    let started = nodes
        .iter()
        .filter_map(|node| match node.array.as_ref()?.value {
            ArraySource::Spawned(of) => Some(usize::from(of)),
            _ => None,
        });
    let started: BTreeSet<usize> = started.collect();
    let drivers = nodes.iter().enumerate().filter(|(_, node)| node.driver);
    for (_, node) in drivers.filter(|(index, _)| !started.contains(index)) {
        let message = format!("`{}` is a driver, and may start nothing", node.name);
        let help = format!("write `spawned_by = \"{}\"` in a task", node.name);
        report.add("no-driver", Some(&node.at), message, help);
    }
}
