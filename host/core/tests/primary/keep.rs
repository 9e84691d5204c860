//! Checkpoints: the last one of the lease that holds, durable before it is told, for every
//! later attempt, and gone with the task.

use super::bench::{Bench, plan};
use std::collections::BTreeMap;
use wasmhost_core::primary::{Effect, Event};
use wasmhost_core::record::{CheckpointRecord, Recovered, RecoveredData, Write};
use wasmhost_proto::data::{DataCall, DataOp, DataReply, Space};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::keep::{Keep, Kept};
use wasmhost_proto::limits::MAX_INLINE;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::wire::{ResultData, ToPrimary, ToWorker};
use wasmhost_proto::{Digest, Lease, TaskId};

type Held = (TaskId, Lease);

fn running(count: u32) -> (Bench, Vec<Held>) {
    let mut b = Bench::new();
    b.submit(plan(count));
    b.worker(1, count);
    b.want(1, count, count);
    let leases = b.leases();
    b.sent.clear();
    (b, leases)
}

fn ask(b: &mut Bench, (task, lease): Held, call: u64, keep: Keep) {
    let call = DataCall {
        task,
        lease,
        call,
        space: Space::Task,
        op: DataOp::Keep(Box::new(keep)),
    };
    b.say(1, ToPrimary::Data(Box::new(call)));
}

fn save(b: &mut Bench, who: Held, call: u64, state: &str) {
    let content = ResultData::Inline(state.as_bytes().to_vec());
    ask(b, who, call, Keep::Save(content));
}

fn blob(n: u8) -> BlobRef {
    BlobRef {
        digest: Digest([n; 32]),
        len: 1 << 20,
    }
}

/// What was answered since the last call.
fn answers(b: &mut Bench) -> Vec<String> {
    let told = b.sent.drain(..).filter_map(|(_, message)| match message {
        ToWorker::Data(answer) => Some(match answer.reply {
            DataReply::Kept(kept) => match *kept {
                Kept::Saved => "saved".into(),
                Kept::Checkpoint(None) => "none".into(),
                Kept::Checkpoint(Some(ResultData::Inline(bytes))) => {
                    String::from_utf8(bytes).unwrap()
                }
                Kept::Checkpoint(Some(ResultData::Blob(blob))) => blob.digest.hex()[..2].into(),
            },
            DataReply::Refused(why, _) => why.to_string(),
            other => format!("{other:?}"),
        }),
        _ => None,
    });
    told.collect()
}

fn loaded(b: &mut Bench, who: Held, call: u64) -> Vec<String> {
    ask(b, who, call, Keep::Load);
    answers(b)
}

/// Checkpoints that the store holds.
fn stored(b: &Bench) -> BTreeMap<TaskId, CheckpointRecord> {
    let mut all = BTreeMap::new();
    for write in &b.writes {
        match write {
            Write::Checkpoint(task, record) => drop(all.insert(*task, (**record).clone())),
            Write::RemoveCheckpoint(task) => drop(all.remove(task)),
            _ => {}
        }
    }
    all
}

#[test]
fn the_last_one_counts_and_is_the_tasks_own() {
    let (mut b, all) = running(2);
    assert_eq!(loaded(&mut b, all[0], 1), ["none"]);
    save(&mut b, all[0], 2, "one");
    save(&mut b, all[0], 3, "two");
    // A repetition that comes late puts nothing back.
    save(&mut b, all[0], 2, "one");
    assert_eq!(answers(&mut b), ["saved"; 3]);
    assert_eq!(loaded(&mut b, all[0], 4), ["two"]);
    assert_eq!(loaded(&mut b, all[1], 1), ["none"]);
    let large = ResultData::Inline(vec![0; MAX_INLINE + 1]);
    ask(&mut b, all[0], 5, Keep::Save(large));
    assert_eq!(answers(&mut b), ["invalid"]);
    let stranger = Lease {
        attempt: 9,
        ..all[0].1
    };
    save(&mut b, (all[0].0, stranger), 1, "stranger");
    assert_eq!(answers(&mut b), [""; 0]);
}

#[test]
fn it_is_durable_before_it_is_told() {
    let (mut b, all) = running(1);
    b.instant = false;
    save(&mut b, all[0], 1, "one");
    assert_eq!(answers(&mut b), [""; 0]);
    let seq = b.seq;
    b.event(Event::Persisted { seq });
    assert_eq!(answers(&mut b), ["saved"]);
}

#[test]
fn later_attempts_have_it_and_earlier_ones_no_say() {
    let (mut b, all) = running(1);
    save(&mut b, all[0], 1, "one");
    b.end(1, all[0], Some(FailureKind::LostExecutor));
    b.want(1, 1, 1);
    let second = b.leases()[0];
    assert_eq!(second.0, all[0].0);
    b.sent.clear();
    save(&mut b, all[0], 2, "late");
    assert_eq!(loaded(&mut b, second, 1), ["one"]);
    save(&mut b, second, 2, "two");
    assert_eq!(loaded(&mut b, second, 3), ["saved", "two"]);
    b.end(1, second, None);
    assert_eq!(stored(&b), BTreeMap::new());
}

#[test]
fn the_blob_of_one_that_is_superseded_goes_once_that_is_durable() {
    let (mut b, all) = running(1);
    b.instant = false;
    let dropped = |b: &mut Bench| {
        let seq = b.seq;
        b.event(Event::Persisted { seq });
        let dropped = b.others.drain(..).filter_map(|effect| match effect {
            Effect::DropCheckpoint(_, digest) => Some(digest.0[0]),
            _ => None,
        });
        dropped.collect::<Vec<u8>>()
    };
    ask(&mut b, all[0], 1, Keep::Save(ResultData::Blob(blob(1))));
    assert_eq!(dropped(&mut b), [0; 0]);
    ask(&mut b, all[0], 2, Keep::Save(ResultData::Blob(blob(2))));
    assert!(b.others.is_empty());
    assert_eq!(dropped(&mut b), [1]);
    save(&mut b, all[0], 3, "small");
    assert_eq!(dropped(&mut b), [2]);
    ask(&mut b, all[0], 4, Keep::Save(ResultData::Blob(blob(3))));
    b.end(1, all[0], None);
    assert_eq!(dropped(&mut b), [3]);
}

#[test]
fn a_restarted_primary_still_has_it() {
    let (mut b, all) = running(1);
    save(&mut b, all[0], 1, "one");
    let job = all[0].0.job;
    let recovered = Recovered {
        last_job: Some(job),
        jobs: vec![*b.ended_job(job, plan(1))],
        data: RecoveredData {
            checkpoints: stored(&b).into_iter().collect(),
            ..RecoveredData::default()
        },
        ..Recovered::default()
    };
    let mut b = Bench::recovered(2, recovered);
    b.worker(1, 1);
    b.want(1, 1, 1);
    let next = b.leases()[0];
    b.sent.clear();
    assert_eq!(loaded(&mut b, next, 1), ["one"]);
}
