//! Calls of attempts on jobs that their own job submits: which of them are granted. What
//! comes of one is found out elsewhere, as with a submission of a client.

use super::data::Caller;
use super::{Calling, Effect, JobCall, Primary};
use wasmhost_proto::data::{DataRefusal, DataReply};
use wasmhost_proto::grants::GrantKind;
use wasmhost_proto::jobs::JobOp;
use wasmhost_proto::limits::MAX_CHILD_DEPTH;
use wasmhost_proto::plan::SubmittedBy;

impl Primary {
    /// The attempt that holds the task calls; may be a repetition.
    pub(super) fn job_call(&mut self, caller: Calling, op: JobOp) {
        match self.granted_call(caller, op) {
            Ok(call) => self.effects.push_back(Effect::JobCall(Box::new(call))),
            Err((kind, why)) => {
                self.answer(Caller::Attempt(caller), DataReply::Refused(kind, why));
            }
        }
    }

    /// The answer to a call; nobody's when the attempt is gone.
    pub(super) fn job_answered(&mut self, caller: Calling, reply: DataReply) {
        if self.is_current(caller.worker, caller.task, caller.lease) {
            self.answer(Caller::Attempt(caller), reply);
        }
    }

    fn granted_call(&self, caller: Calling, op: JobOp) -> Result<JobCall, (DataRefusal, String)> {
        if let Some(why) = op.fault() {
            return Err((DataRefusal::Invalid, why));
        }
        let task = caller.task;
        let plan = self.jobs.get(&task.job).map(|job| &job.plan);
        let node = plan.and_then(|plan| plan.nodes.get(usize::from(task.node)));
        let grants = node.and_then(|node| node.grants.as_deref());
        let grants = grants.filter(|grants| !grants.submits.is_empty());
        let Some(grants) = grants else {
            let why = "the task submits no jobs: its definition says of which stored definitions \
                       it does, with `submits`";
            return Err((DataRefusal::NotGranted, why.into()));
        };
        let before = plan.and_then(|plan| plan.submitted_by);
        let depth = before.map_or(0, |by| by.depth).saturating_add(1);
        if let JobOp::Submit { definition, .. } = &op {
            let name = definition.split('@').next().unwrap_or_default();
            if !grants.has(GrantKind::Submit, name) {
                let why = format!(
                    "the task submits no jobs of '{name}': its definition says so with \
                     `submits = [\"{name}\"]`"
                );
                return Err((DataRefusal::NotGranted, why));
            }
            if depth > MAX_CHILD_DEPTH {
                let why = format!(
                    "{MAX_CHILD_DEPTH} jobs have submitted one another before this one, and no \
                     more may"
                );
                return Err((DataRefusal::Full, why));
            }
        }
        Ok(JobCall {
            caller,
            submitted_by: SubmittedBy {
                job: task.job,
                depth,
            },
            op,
        })
    }
}
