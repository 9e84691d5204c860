//! Jobs that tasks submit: only those that they were granted, only so deep, and told only to
//! the attempt that holds the task.

use crate::bench::{Bench, node, plan};
use wasmhost_core::primary::{Effect, Event, JobCall};
use wasmhost_proto::data::{DataCall, DataOp, DataReply, Space};
use wasmhost_proto::grants::Grants;
use wasmhost_proto::jobs::{JobOp, JobReply};
use wasmhost_proto::limits::MAX_CHILD_DEPTH;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::{JobPlan, NodePlan, SubmittedBy};
use wasmhost_proto::wire::{ToPrimary, ToWorker};
use wasmhost_proto::{JobId, Lease, TaskId};

type Held = (TaskId, Lease);

/// A running task that may submit jobs of these, in a job of this depth.
fn running(submits: &[&str], depth: u8) -> (Bench, Held) {
    let mut b = Bench::new();
    let grants = Grants {
        submits: submits.iter().map(|name| (*name).to_owned()).collect(),
        ..Grants::default()
    };
    b.submit(JobPlan {
        nodes: vec![NodePlan {
            grants: Some(Box::new(grants)),
            ..node(1)
        }],
        submitted_by: (depth > 0).then_some(SubmittedBy {
            job: JobId(99),
            depth,
        }),
        ..plan(1)
    });
    b.worker(1, 1);
    b.want(1, 1, 1);
    let held = b.leases()[0];
    (b, held)
}

fn submit(definition: &str) -> JobOp {
    JobOp::Submit {
        key: "a".into(),
        definition: definition.into(),
        params: String::new(),
    }
}

/// The attempt calls; what the primary is to carry out.
fn ask(b: &mut Bench, (task, lease): Held, call: u64, op: JobOp) -> Option<JobCall> {
    let call = DataCall {
        task,
        lease,
        call,
        space: Space::Task,
        op: DataOp::Job(Box::new(op)),
    };
    b.say(1, ToPrimary::Data(Box::new(call)));
    b.others.drain(..).find_map(|effect| match effect {
        Effect::JobCall(call) => Some(*call),
        _ => None,
    })
}

fn answers(b: &mut Bench) -> Vec<(u64, String)> {
    let told = b.sent.iter().filter_map(|(_, message)| match message {
        ToWorker::Data(answer) => Some((
            answer.call,
            match &answer.reply {
                DataReply::Refused(kind, _) => kind.to_string(),
                other => format!("{other:?}"),
            },
        )),
        _ => None,
    });
    told.collect()
}

#[test]
fn only_what_is_granted() {
    let check = |submits: &[&str], depth: u8, op: JobOp, want: Option<&str>| {
        let (mut b, held) = running(submits, depth);
        let call = ask(&mut b, held, 1, op.clone());
        let shown = format!("{submits:?} at {depth}: {op:?}");
        match want {
            None => {
                let call = call.unwrap_or_else(|| panic!("{shown}"));
                assert_eq!(call.submitted_by.depth, depth + 1, "{shown}");
                assert_eq!((call.op, answers(&mut b)), (op, vec![]), "{shown}");
            }
            Some(want) => {
                assert_eq!(call, None, "{shown}");
                assert_eq!(answers(&mut b), [(1, want.to_owned())], "{shown}");
            }
        }
    };
    let look = |key: &str| JobOp::Look { key: key.into() };
    check(&["nightly"], 0, submit("nightly"), None);
    check(&["nightly"], 0, submit("nightly@3"), None);
    check(&["nightly"], 0, submit("nightly2"), Some("not-granted"));
    check(&["nightly"], 0, submit("night"), Some("not-granted"));
    check(&[], 0, submit("nightly"), Some("not-granted"));
    check(&[], 0, look("a"), Some("not-granted"));
    check(&["nightly"], 0, look("a"), None);
    check(&["nightly"], 0, look(""), Some("invalid"));
    check(&["nightly"], 0, submit("nightly@"), Some("invalid"));
    check(&["nightly"], MAX_CHILD_DEPTH - 1, submit("nightly"), None);
    check(
        &["nightly"],
        MAX_CHILD_DEPTH,
        submit("nightly"),
        Some("full"),
    );
    check(&["nightly"], MAX_CHILD_DEPTH, look("a"), None);
}

#[test]
fn answers_reach_the_attempt_that_holds_the_task() {
    let (mut b, held) = running(&["nightly"], 0);
    let call = ask(&mut b, held, 1, submit("nightly")).unwrap();
    let reply = DataReply::Job(Box::new(JobReply::Submitted(JobId(7))));
    let answered = |caller| Event::JobAnswered {
        caller,
        reply: reply.clone(),
    };
    b.event(answered(call.caller));
    assert_eq!(answers(&mut b).len(), 1);
    // The attempt is over before its second call is answered.
    let second = ask(&mut b, held, 2, submit("nightly")).unwrap();
    b.end(1, held, Some(FailureKind::Trap));
    b.event(answered(second.caller));
    assert_eq!(answers(&mut b).len(), 1);
}
