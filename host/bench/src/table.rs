//! The list of all scenarios, in the order of the table.

use crate::scenario::Group;
use crate::{latency, queue, throughput};

/// Every group; a file of scenarios adds its own here.
pub(crate) fn all() -> Vec<&'static Group> {
    let files = [throughput::GROUPS, latency::GROUPS, queue::GROUPS];
    files.into_iter().flatten().collect()
}
