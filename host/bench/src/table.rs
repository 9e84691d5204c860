//! The list of all scenarios, in the order of the table.

use crate::scenario::Group;
use crate::{cold, faults, latency, memory, queue, shipping, throughput};

/// Every group; a file of scenarios adds its own here.
pub(crate) fn all() -> Vec<&'static Group> {
    let files = [
        throughput::GROUPS,
        latency::GROUPS,
        shipping::GROUPS,
        cold::GROUPS,
        queue::GROUPS,
        faults::GROUPS,
        memory::GROUPS,
    ];
    files.into_iter().flatten().collect()
}
