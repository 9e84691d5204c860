//! The list of all scenarios, in the order of the table.

use crate::scenario::Group;
use crate::{cold, faults, idle, latency, memory, queue, shipping, status, throughput};

/// Every group; a file of scenarios adds its own here.
pub(crate) fn all() -> Vec<&'static Group> {
    let files = [
        throughput::GROUPS,
        latency::GROUPS,
        shipping::GROUPS,
        cold::GROUPS,
        queue::GROUPS,
        status::GROUPS,
        faults::GROUPS,
        idle::GROUPS,
        memory::GROUPS,
    ];
    files.into_iter().flatten().collect()
}
