//! What is told to the primary, and when.

use crate::bench::{Bench, LEASE, task};
use wasmhost_core::worker::{Effect, Event};
use wasmhost_proto::limits::{MAX_FRAME, MAX_LEASES_PER_WORKER};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::status::{Event as Happening, Progress, Status, Value};
use wasmhost_proto::wire::{ToPrimary, ToWorker};
use wasmhost_proto::{JobId, Timestamp, WorkerId};

fn status(done: u64) -> Status {
    let progress = Progress {
        done,
        total: None,
        message: None,
    };
    Status {
        progress: Some(progress),
        ..Status::default()
    }
}

#[test]
fn a_lower_term_is_refused() {
    let mut b = Bench::ready(1, 1);
    let stop = ToWorker::Drain { on: true };
    b.event(Event::Frame {
        term: 2,
        messages: vec![stop],
    });
    assert!(matches!(b.effects.last(), Some(Effect::Reconnect { .. })));
    assert_eq!(b.connect().term_seen, 3);
}

#[test]
fn outcomes_are_repeated_until_they_are_acknowledged() {
    let mut b = Bench::ready(3, 3);
    b.assign(0, 4);
    b.end(0, 1, None);
    b.end(1, 1, None);
    let sent = b.batches();
    assert_eq!(sent.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2]);
    b.hear(ToWorker::Ack { batch: 1 });
    b.event(Event::Disconnected);
    b.end(2, 1, None);
    assert_eq!(b.batches(), [], "nothing is sent into the void");
    let held = b.connect().held;
    assert_eq!(
        held.iter().map(|h| h.task.index).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let again = b.batches();
    assert_eq!(again[0], sent[1]);
    assert_eq!((again[1].0, again[1].1[0].task), (3, task(2)));
    b.hear(ToWorker::Ack { batch: 3 });
    b.event(Event::Disconnected);
    assert_eq!(b.connect().held.len(), 1);
}

#[test]
fn batches_fit_into_frames() {
    let mut b = Bench::ready(200, 0);
    b.assign(0, 200);
    b.event(Event::Disconnected);
    for index in 0..200 {
        b.end(index, 16 << 10, None);
    }
    b.connect();
    let batches = b.batches();
    assert!(batches.len() > 5, "{} batches", batches.len());
    for (_, items) in &batches {
        assert!(items.len() * (16 << 10) < MAX_FRAME);
    }
    assert_eq!(
        batches.iter().map(|(_, items)| items.len()).sum::<usize>(),
        200
    );
}

#[test]
fn a_flood_of_events_is_cut_to_a_frame() {
    let mut b = Bench::ready(1, 0);
    b.assign(0, 1);
    let event = |n| Happening {
        at: Timestamp(n),
        name: "e".into(),
        value: Some(Value::Text("x".repeat(4 << 10))),
    };
    let events = (0..256).map(event).collect();
    let flood = Status {
        events,
        ..status(1)
    };
    b.event(Event::Status {
        task: task(0),
        lease: LEASE,
        status: flood,
        log: String::new(),
    });
    b.sent.clear();
    b.pass(100);
    let reports = b.sent.iter().find_map(|message| match message {
        ToPrimary::Status(reports) => Some(reports),
        _ => None,
    });
    let kept = &reports.unwrap()[0].status;
    assert_eq!(kept.events.len() as u64 + kept.events_dropped, 256);
    assert!(kept.events.len() < 70 && kept.events.last().unwrap().at == Timestamp(255));
}

#[test]
fn reports_are_coalesced_and_beats_fill_silence() {
    let mut b = Bench::ready(1, 0);
    b.assign(0, 1);
    b.pass(1_000);
    b.sent.clear();
    for done in 0..10 {
        let (task, lease) = (task(0), LEASE);
        b.event(Event::Status {
            task,
            lease,
            status: status(done),
            log: "l\n".into(),
        });
    }
    b.pass(100);
    let reports: Vec<_> = b
        .sent
        .iter()
        .filter(|m| matches!(m, ToPrimary::Status(_)))
        .collect();
    assert_eq!(reports.len(), 2, "the first at once, the others together");
    let ToPrimary::Status(last) = reports[1] else {
        unreachable!()
    };
    assert_eq!(
        (&last[0].status, last[0].log.lines().count()),
        (&status(9), 9)
    );
    b.sent.clear();
    b.pass(2_000);
    let beats = b
        .sent
        .iter()
        .filter(|m| matches!(m, ToPrimary::Beat(_)))
        .count();
    assert!(
        (5..=8).contains(&beats),
        "{beats} beats in five promised intervals"
    );
}

#[test]
fn word_of_a_start_is_spared_when_the_end_is_near() {
    let mut b = Bench::ready(2, 0);
    b.assign(0, 2);
    b.event(Event::Started(task(0), LEASE));
    b.event(Event::Started(task(1), LEASE));
    b.end(0, 1, None);
    b.sent.clear();
    b.pass(20);
    let [ToPrimary::Started(started)] = &b.sent[..] else {
        panic!("{:?}", b.sent)
    };
    assert_eq!(
        started.iter().map(|s| s.task.index).collect::<Vec<_>>(),
        [1]
    );
}

#[test]
fn requests_say_what_is_new_and_no_more() {
    let mut b = Bench::ready(2, 8);
    assert_eq!(b.requests(), [(10, 2)]);
    b.assign(0, 10);
    assert_eq!(b.requests(), []);
    for index in 0..4 {
        b.end(index, 1, None);
    }
    assert_eq!(
        b.requests(),
        [(4, 0)],
        "at half of what it likes to have at hand"
    );
    b.hear(ToWorker::Drain { on: true });
    assert_eq!(b.requests(), [(0, 0)]);
    b.hear(ToWorker::Drain { on: false });
    assert_eq!(b.requests(), [(4, 0)]);
}

#[test]
fn too_many_leases_go_back_and_unknown_nodes_too() {
    let mut b = Bench::ready(1, 1);
    b.assign(0, MAX_LEASES_PER_WORKER + 3);
    let released = b.sent.iter().find_map(|message| match message {
        ToPrimary::Released(released) => Some(released.len()),
        _ => None,
    });
    assert_eq!(released, Some(3));
    b.sent.clear();
    b.hear(ToWorker::Forget { job: JobId(1) });
    b.assign(9_000, 1);
    assert_eq!(b.sent, [ToPrimary::Released(vec![(task(9_000), LEASE)])]);
}

#[test]
fn the_whole_log_comes_with_the_outcome() {
    let mut b = Bench::ready(1, 0);
    b.assign(0, 1);
    let (task, lease) = (task(0), LEASE);
    b.event(Event::Status {
        task,
        lease,
        status: status(1),
        log: "one\n".into(),
    });
    b.pass(200);
    b.event(Event::Disconnected);
    b.event(Event::Status {
        task,
        lease,
        status: status(2),
        log: "two\n".into(),
    });
    b.end(0, 1, Some(FailureKind::Trap));
    b.connect();
    let (_, items) = b.batches().remove(0);
    assert_eq!(items[0].report.as_ref().unwrap().log, "one\ntwo\n");
}

#[test]
fn a_worker_without_work_is_heard_less_often() {
    let mut b = Bench::ready(1, 4);
    b.hear(ToWorker::Welcome {
        worker: WorkerId(1),
        lease_ms: 30_000,
    });
    let promised = |b: &Bench| {
        b.sent.iter().rev().find_map(|m| match m {
            ToPrimary::Request(request) => Some(request.status_interval_ms),
            _ => None,
        })
    };
    b.pass(500);
    assert_eq!(promised(&b), Some(1_600), "it says so first");
    b.sent.clear();
    b.pass(6_000);
    let beats = b.sent.iter().filter(|m| matches!(m, ToPrimary::Beat(_)));
    assert_eq!(beats.count(), 5);
    b.assign(0, 1);
    assert_eq!(promised(&b), Some(400));
    b.sent.clear();
    b.pass(1_000);
    let beats = b.sent.iter().filter(|m| matches!(m, ToPrimary::Beat(_)));
    assert!(beats.count() >= 3);
}
