//! Runs what did not succeed in an ended job again.

use super::job::Job;
use super::persist::After;
use super::{Primary, Refusal, Reply, RequestId};
use crate::clock::Now;
use crate::prepared::{PreparedRecord, is_dynamic};
use crate::record::{FailedAttempts, RecordedEnd, RecoveredJob, Write};
use std::collections::BTreeMap;
use wasmhost_proto::api::JobState;
use wasmhost_proto::limits::MAX_LIVE_JOBS;
use wasmhost_proto::{NodeIndex, TaskId};

impl Primary {
    /// Runs what failed or was cancelled in an ended job again, and all nodes after it.
    pub(super) fn retry(&mut self, now: Now, request: RequestId, mut ended_job: RecoveredJob) {
        let id = ended_job.record.id;
        if self.jobs.contains_key(&id) || !ended_job.record.state.is_final() {
            return self.reply(request, Err(Refusal::NotEnded(id)));
        }
        if self.jobs.len() >= MAX_LIVE_JOBS {
            return self.reply(request, Err(Refusal::Full(MAX_LIVE_JOBS)));
        }
        let again = nodes_to_repeat(&ended_job);
        if again.is_empty() {
            return self.reply(request, Err(Refusal::NothingToRetry(id)));
        }
        let repeated = |node: NodeIndex, end| match again.get(&node) {
            Some(Repeat::All) => true,
            Some(Repeat::Unsuccessful) => end != RecordedEnd::Succeeded,
            None => false,
        };
        let retries = ended_job.record.retries + 1;
        let mut attempts: BTreeMap<(NodeIndex, u32), FailedAttempts> = BTreeMap::new();
        for (node, index, failed) in &ended_job.failed_attempts {
            let last = failed.last;
            let fresh = FailedAttempts {
                last,
                ..FailedAttempts::default()
            };
            attempts.insert((*node, *index), fresh);
        }
        let taken_back = ended_job
            .ended
            .extract_if(.., |(n, _, end)| repeated(*n, *end));
        for (node, index, _) in taken_back {
            let task = TaskId {
                job: id,
                node,
                index,
            };
            self.persist.write(Write::RemoveOutcome(task));
        }
        let attempts = attempts
            .into_iter()
            .map(|((node, index), f)| (node, index, f));
        ended_job.failed_attempts = attempts.collect();
        // What a node was found to do stands while nothing before it is repeated.
        let stands = |node: &NodeIndex| again.get(node) != Some(&Repeat::All);
        let void = ended_job.prepared.extract_if(.., |(n, _)| !stands(n));
        for (node, _) in void {
            self.persist.write(Write::RemovePrepared(id, node));
        }
        ended_job.items.retain(|(node, _)| stands(node));
        let record = &mut ended_job.record;
        record.gathered.retain(|(node, _)| stands(node));
        record.state = JobState::Queued;
        record.retries = retries;
        // Its time limits begin anew.
        record.submitted = now.wall;
        (record.started, record.ended, record.failure) = (None, None, None);
        record.cancelled = false;
        let job = Job::recover(ended_job);
        let without = job.without_items();
        self.insert(now, job);
        self.persist.job(id);
        if let Some(node) = without {
            self.lacks_items(now, id, node);
        }
        let reply = Ok(Reply::Job { id, created: false });
        self.persist.after(After::Reply(request, reply));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// What did not succeed.
    Unsuccessful,
    /// All of it: what it came after is repeated.
    All,
}

/// The nodes that a retry touches. A node comes after all that it waits for.
fn nodes_to_repeat(job: &RecoveredJob) -> BTreeMap<NodeIndex, Repeat> {
    let mut again = BTreeMap::new();
    // Succeeded tasks of each, and how many there are; none when that is not known.
    let all = job
        .plan
        .nodes
        .iter()
        .map(|node| match is_dynamic(&node.array) {
            true => (0, None),
            false => (0, Some(u64::from(node.array.count()))),
        });
    let mut tasks: Vec<(u64, Option<u64>)> = all.collect();
    for (node, record) in &job.prepared {
        if let Some((_, all)) = tasks.get_mut(usize::from(*node)) {
            match record {
                PreparedRecord::Skipped => *all = Some(0),
                PreparedRecord::Run { count: Some(n), .. } => *all = Some(u64::from(*n)),
                PreparedRecord::Run { count: None, .. } => {}
            }
        }
    }
    for (node, _) in &job.spawned {
        if let Some((_, Some(all))) = tasks.get_mut(usize::from(*node)) {
            *all += 1;
        }
    }
    for (node, _, end) in &job.ended {
        if let Some((succeeded, _)) = tasks.get_mut(usize::from(*node)) {
            *succeeded += u64::from(*end == RecordedEnd::Succeeded);
        }
    }
    for (n, (plan, (succeeded, all))) in job.plan.nodes.iter().zip(tasks).enumerate() {
        if plan.after.iter().any(|before| again.contains_key(before)) {
            again.insert(n as NodeIndex, Repeat::All);
        } else if all.is_none_or(|all| succeeded < all) {
            again.insert(n as NodeIndex, Repeat::Unsuccessful);
        }
    }
    again
}
