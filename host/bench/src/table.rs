//! The list of all scenarios, in the order of the table.

use crate::scenario::Group;
use crate::{
    cold, compute, core, faults, idle, latency, memory, queue, sandbox, scripts, shipping, status,
    throughput, watching,
};

/// Every group; a file of scenarios adds its own here.
pub(crate) fn all() -> Vec<&'static Group> {
    let files = [
        throughput::GROUPS,
        latency::GROUPS,
        shipping::GROUPS,
        cold::GROUPS,
        queue::GROUPS,
        status::GROUPS,
        watching::GROUPS,
        faults::GROUPS,
        idle::GROUPS,
        memory::GROUPS,
        sandbox::GROUPS,
        scripts::GROUPS,
        compute::GROUPS,
        core::GROUPS,
    ];
    files.into_iter().flatten().collect()
}
