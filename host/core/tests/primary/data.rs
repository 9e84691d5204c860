//! Data: who may read and change what, one change per call however often it is repeated,
//! and nothing told before it is durable.

use super::bench::{Bench, plan};
use std::collections::BTreeMap;
use wasmhost_core::primary::{Event, Reply};
use wasmhost_core::record::{Recovered, RecoveredData, SpaceId, Write};
use wasmhost_proto::data::{
    DataCall, DataOp, DataRefusal, DataReply, DataValue, Entry, Expect, Space,
};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::wire::{ToPrimary, ToWorker};
use wasmhost_proto::{JobId, Lease, TaskId};

type Held = (TaskId, Lease);

/// A job of `count` attempts on worker 1 that publishes in some spaces.
fn running(count: u32, publishes: &[&str]) -> (Bench, JobId, Vec<Held>) {
    let mut b = Bench::new();
    let plan = JobPlan {
        publishes: publishes.iter().map(|name| (*name).into()).collect(),
        ..plan(count)
    };
    let id = b.submit(plan);
    b.worker(1, count);
    b.want(1, count, count);
    let leases = b.leases();
    assert_eq!(leases.len(), count as usize);
    b.sent.clear();
    b.replies.clear();
    (b, id, leases)
}

fn ask(b: &mut Bench, session: u64, (task, lease): Held, call: u64, space: Space, op: DataOp) {
    let call = DataCall {
        task,
        lease,
        call,
        space,
        op,
    };
    b.say(session, ToPrimary::Data(Box::new(call)));
}

fn private(b: &mut Bench, who: Held, call: u64, op: DataOp) {
    ask(b, 1, who, call, Space::Private, op);
}

fn add(key: &str) -> DataOp {
    let key = key.into();
    DataOp::Add { key, by: 1 }
}

fn get(key: &str) -> DataOp {
    DataOp::Get { key: key.into() }
}

fn wait(key: &str, known: u64, timeout_ms: u64) -> DataOp {
    DataOp::Wait {
        key: key.into(),
        known,
        timeout_ms,
    }
}

fn number(entry: &Option<Entry>) -> Option<i64> {
    match entry.as_ref().map(|entry| &entry.value) {
        None => None,
        Some(DataValue::Int(number)) => Some(*number),
        other => panic!("{other:?}"),
    }
}

/// What was answered since the last call: index of the task, call, and what came of it.
fn answers(b: &mut Bench) -> Vec<(u32, u64, String)> {
    let told = b.sent.drain(..).filter_map(|(_, message)| match message {
        ToWorker::Data(answer) => Some((answer.task.index, answer.call, short(&answer.reply))),
        _ => None,
    });
    told.collect()
}

fn short(reply: &DataReply) -> String {
    match reply {
        DataReply::Entry(entry) => format!("{:?}", number(entry)),
        DataReply::Sum(sum, _) => format!("{sum}"),
        DataReply::Written(revision) => format!("#{revision}"),
        DataReply::Conflict(_) => "conflict".into(),
        DataReply::Page(entries, _) => format!("{} entries", entries.len()),
        DataReply::Refused(why, _) => why.to_string(),
        DataReply::Kept(kept) => format!("{kept:?}"),
        DataReply::Job(reply) => format!("{reply:?}"),
    }
}

/// What the store holds after these.
fn stored(writes: &[Write]) -> RecoveredData {
    let mut entries: BTreeMap<(SpaceId, String), Entry> = BTreeMap::new();
    let mut calls = BTreeMap::new();
    let mut revision = 0;
    for write in writes {
        match write {
            Write::Data(write) => {
                revision = write.revision;
                let key = (write.space.clone(), write.key.clone());
                match &write.entry {
                    Some(entry) => entries.insert(key, entry.clone()),
                    None => entries.remove(&key),
                };
            }
            Write::DataCall(task, record) => {
                calls.insert(*task, (**record).clone());
            }
            Write::RemoveDataCall(task) => {
                calls.remove(task);
            }
            Write::RemoveJobData(job) => {
                entries.retain(|(space, _), _| *space != SpaceId::Job(*job));
                calls.retain(|task, _| task.job != *job);
            }
            _ => {}
        }
    }
    RecoveredData {
        revision,
        entries: entries.into_iter().map(|((s, _), e)| (s, e)).collect(),
        calls: calls.into_iter().collect(),
        ..RecoveredData::default()
    }
}

#[test]
fn a_call_that_is_repeated_counts_once() {
    let (mut b, _, all) = running(2, &[]);
    private(&mut b, all[0], 1, add("n"));
    private(&mut b, all[1], 1, add("n"));
    private(&mut b, all[0], 1, add("n"));
    private(&mut b, all[0], 2, add("n"));
    let told = |index, call, sum: &str| (index, call, sum.to_owned());
    assert_eq!(
        answers(&mut b),
        [
            told(0, 1, "1"),
            told(1, 1, "2"),
            told(0, 1, "1"),
            told(0, 2, "3")
        ]
    );
    // Another lease is another attempt.
    let stranger = Lease {
        attempt: 9,
        ..all[0].1
    };
    private(&mut b, (all[0].0, stranger), 1, add("n"));
    assert_eq!(answers(&mut b), []);
}

#[test]
fn nothing_is_told_before_it_is_durable() {
    let (mut b, _, all) = running(2, &[]);
    b.instant = false;
    private(&mut b, all[0], 1, add("n"));
    // Who reads what is on its way waits for it, too.
    private(&mut b, all[1], 1, get("n"));
    assert_eq!(answers(&mut b), []);
    let seq = b.seq;
    b.event(Event::Persisted { seq });
    let told = answers(&mut b);
    assert_eq!(told, [(0, 1, "1".into()), (1, 1, "Some(1)".into())]);
}

#[test]
fn who_waits_hears_of_the_change_or_of_the_end_of_its_time() {
    let (mut b, _, all) = running(3, &[]);
    private(&mut b, all[0], 1, wait("n", 0, 500));
    private(&mut b, all[1], 1, wait("m", 0, 500));
    // A repetition is the same wait.
    private(&mut b, all[0], 1, wait("n", 0, 500));
    assert_eq!(answers(&mut b), []);
    private(&mut b, all[2], 1, add("n"));
    let told = answers(&mut b);
    assert_eq!(told, [(0, 1, "Some(1)".into()), (2, 1, "1".into())]);
    b.pass(499);
    assert_eq!(answers(&mut b), []);
    b.pass(1);
    assert_eq!(answers(&mut b), [(1, 1, "None".into())]);
    // What is known already is not worth a wait, what is not is told at once.
    private(&mut b, all[0], 2, wait("n", 0, 500));
    assert_eq!(answers(&mut b), [(0, 2, "Some(1)".into())]);
    private(&mut b, all[0], 3, wait("n", 1, 500));
    b.end(1, all[0], None);
    b.pass(1_000);
    assert_eq!(answers(&mut b), []);
}

#[test]
fn grants_say_who_changes_what() {
    let name = |name: &str| Space::Public(name.into());
    let set = |key: &str| DataOp::Set {
        key: key.into(),
        value: DataValue::Int(1),
        expect: Expect::Any,
    };
    let delete = || DataOp::Delete {
        key: "k".into(),
        expect: Expect::Any,
    };
    let list = || DataOp::List {
        prefix: String::new(),
        after: None,
        limit: 9,
    };
    let refused = DataRefusal::NotGranted.to_string();
    let grants: &[&[&str]] = &[
        &[],
        &["prices"],
        &["prices-*"],
        &["*"],
        &["other", "prices"],
    ];
    for publishes in grants {
        let may = |space: &str| {
            wasmhost_proto::data::publishes(
                &publishes
                    .iter()
                    .map(|p| (*p).to_owned())
                    .collect::<Vec<_>>(),
                space,
            )
        };
        let (mut b, _, all) = running(1, publishes);
        let mut call = 0;
        let mut check = |space: Space, op: DataOp, allowed: bool| {
            call += 1;
            let what = format!("{publishes:?}: {op:?} in {space:?}");
            ask(&mut b, 1, all[0], call, space, op);
            let (_, _, told) = answers(&mut b).remove(0);
            assert_eq!(told != refused, allowed, "{what}: {told}");
        };
        for space in ["prices", "prices-eu", "other", "price"] {
            for op in [set("k"), add("k"), delete()] {
                check(name(space), op, may(space));
            }
            for op in [get("k"), list(), wait("k", 77, 0)] {
                check(name(space), op, true);
            }
        }
        for op in [set("k"), add("k"), get("k"), list(), delete()] {
            check(Space::Private, op, true);
        }
    }
    let (mut b, _, all) = running(1, &["*"]);
    for bad in ["", "a b", "a/b", "é", &"x".repeat(65)] {
        ask(&mut b, 1, all[0], 1, name(bad), get("k"));
        assert_eq!(answers(&mut b), [(0, 1, "invalid".into())], "{bad}");
    }
}

#[test]
fn private_data_is_the_jobs_alone_and_goes_with_it() {
    let (mut b, one, first) = running(1, &["prices"]);
    let two = b.submit(plan(1));
    b.want(1, 1, 1);
    let second = b.leases()[0];
    b.sent.clear();
    assert_eq!(second.0.job, two);
    private(&mut b, first[0], 1, add("n"));
    ask(
        &mut b,
        1,
        first[0],
        2,
        Space::Public("prices".into()),
        add("gold"),
    );
    private(&mut b, second, 1, get("n"));
    let told: Vec<String> = answers(&mut b).into_iter().map(|(.., told)| told).collect();
    assert_eq!(told, ["1", "1", "None"]);
    let before = stored(&b.writes);
    assert_eq!((before.entries.len(), before.calls.len()), (2, 1));
    b.end(1, first[0], None);
    assert!(b.record(one).state.is_final());
    let after = stored(&b.writes);
    let left: Vec<&SpaceId> = after.entries.iter().map(|(space, _)| space).collect();
    assert_eq!(left, [&SpaceId::Public("prices".into())]);
    assert_eq!((after.calls.len(), after.revision), (0, 2));
    // Nobody calls for a job that has ended.
    private(&mut b, first[0], 3, get("n"));
    assert_eq!(answers(&mut b), []);
}

#[test]
fn clients_call_on_public_spaces() {
    let (mut b, _, all) = running(1, &["prices"]);
    let client = |b: &mut Bench, space: &str, op: DataOp| {
        b.event(Event::Data {
            request: 7,
            space: space.into(),
            op,
        });
        b.replies
            .drain(..)
            .map(|reply| match reply {
                Ok(Reply::Data(reply)) => short(&reply),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(client(&mut b, "prices", add("gold")).last().unwrap(), "1");
    assert_eq!(client(&mut b, "prices", wait("gold", 1, 100)), [""; 0]);
    let prices = || Space::Public("prices".into());
    ask(&mut b, 1, all[0], 1, prices(), add("gold"));
    assert_eq!(answers(&mut b), [(0, 1, "2".into())]);
    assert_eq!(
        client(&mut b, "prices", get("gold")),
        ["Some(2)", "Some(2)"]
    );
    assert_eq!(client(&mut b, "a b", get("gold")), ["invalid"]);
    assert_eq!(client(&mut b, "prices", get("")), ["invalid"]);
    let spaces = b.primary.public_spaces();
    assert_eq!(
        (spaces.len(), &*spaces[0].name, spaces[0].entries),
        (1, "prices", 1)
    );
}

#[test]
fn a_restarted_primary_counts_nothing_twice() {
    let (mut b, id, all) = running(2, &[]);
    private(&mut b, all[0], 1, add("n"));
    private(&mut b, all[1], 1, add("n"));
    let mut job = b.ended_job(id, plan(2));
    job.ended.clear();
    let recovered = Recovered {
        last_job: Some(id),
        jobs: vec![*job],
        data: stored(&b.writes),
        ..Recovered::default()
    };
    let mut b = Bench::recovered(2, recovered);
    let held = all.iter().map(|(task, lease)| wasmhost_proto::wire::Held {
        task: *task,
        lease: *lease,
        started: None,
    });
    b.join(1, 1, 2, 1, held.collect());
    b.sent.clear();
    private(&mut b, all[0], 1, add("n"));
    private(&mut b, all[1], 2, add("n"));
    assert_eq!(answers(&mut b), [(0, 1, "1".into()), (1, 2, "3".into())]);
}
