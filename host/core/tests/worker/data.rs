//! Data calls: one at a time, asked again in each session until the answer has come, and
//! handed over once.

use super::bench::{Bench, LEASE, task};
use wasmhost_core::worker::{Effect, Event};
use wasmhost_proto::data::{DataAnswer, DataCall, DataOp, DataReply, Space};
use wasmhost_proto::wire::{ToPrimary, ToWorker};

fn say(bench: &mut Bench, index: u32, call: u64, op: DataOp) {
    bench.event(Event::Data(Box::new(DataCall {
        task: task(index),
        lease: LEASE,
        call,
        space: Space::Private,
        op,
    })));
}

fn call(bench: &mut Bench, index: u32, call: u64, key: &str) {
    say(bench, index, call, DataOp::Get { key: key.into() });
}

fn answer(bench: &mut Bench, index: u32, call: u64) {
    bench.hear(ToWorker::Data(Box::new(DataAnswer {
        task: task(index),
        lease: LEASE,
        call,
        reply: DataReply::Entry(None),
    })));
}

/// Index, number and key of the calls that the primary was sent since the last time.
fn asked(bench: &mut Bench) -> Vec<(u32, u64, String)> {
    let said = bench.sent.drain(..).filter_map(|message| match message {
        ToPrimary::Data(call) => match call.op {
            DataOp::Get { key } | DataOp::Wait { key, .. } => {
                Some((call.task.index, call.call, key))
            }
            other => panic!("{other:?}"),
        },
        _ => None,
    });
    said.collect()
}

/// Index and number of the calls that attempts were told of.
fn told(bench: &mut Bench) -> Vec<(u32, u64)> {
    let told = bench.effects.drain(..).filter_map(|effect| match effect {
        Effect::Data(answer) => Some((answer.task.index, answer.call)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_call_is_asked_until_it_is_answered() {
    let mut bench = Bench::ready(2, 2);
    bench.assign(0, 2);
    bench.sent.clear();
    call(&mut bench, 0, 1, "a");
    // No honest executor does that.
    call(&mut bench, 0, 2, "b");
    call(&mut bench, 0, 1, "b");
    call(&mut bench, 1, 1, "c");
    let said = |index, call, key: &str| (index, call, key.to_owned());
    assert_eq!(asked(&mut bench), [said(0, 1, "a"), said(1, 1, "c")]);
    answer(&mut bench, 0, 1);
    answer(&mut bench, 0, 1);
    answer(&mut bench, 1, 7);
    assert_eq!(told(&mut bench), [(0, 1)]);
    bench.event(Event::Disconnected);
    call(&mut bench, 0, 1, "old");
    call(&mut bench, 0, 2, "d");
    bench.connect();
    assert_eq!(asked(&mut bench), [said(0, 2, "d"), said(1, 1, "c")]);
    answer(&mut bench, 1, 1);
    answer(&mut bench, 0, 2);
    assert_eq!(told(&mut bench), [(1, 1), (0, 2)]);
    // Nobody runs there.
    call(&mut bench, 9, 1, "x");
    assert_eq!(asked(&mut bench), []);
}

#[test]
fn who_is_asked_to_stop_gives_up_a_wait() {
    let mut bench = Bench::ready(2, 2);
    bench.assign(0, 1);
    bench.sent.clear();
    let wait = DataOp::Wait {
        key: "a".into(),
        known: 0,
        timeout_ms: 60_000,
    };
    say(&mut bench, 0, 1, wait);
    call(&mut bench, 0, 2, "b");
    let calls: Vec<u64> = asked(&mut bench)
        .into_iter()
        .map(|(_, call, _)| call)
        .collect();
    assert_eq!(calls, [1, 2]);
    answer(&mut bench, 0, 1);
    answer(&mut bench, 0, 2);
    assert_eq!(told(&mut bench), [(0, 2)]);
}
