//! Outputs: each part once and in order, those of the attempt that holds the task, within
//! their bounds, and nothing of them in memory once the task has ended.

use super::bench::{Bench, plan};
use std::collections::BTreeMap;
use wasmhost_core::record::{OutputRecord, Recovered, RecoveredData, Write};
use wasmhost_proto::data::{DataCall, DataOp, DataReply, Space};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::keep::Keep;
use wasmhost_proto::limits::{MAX_OUTPUT_BYTES, MAX_OUTPUT_PART, MAX_OUTPUTS};
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

/// What came of a call.
fn ask(b: &mut Bench, (task, lease): Held, keep: Keep) -> String {
    let call = DataCall {
        task,
        lease,
        call: 1,
        space: Space::Task,
        op: DataOp::Keep(Box::new(keep)),
    };
    b.say(1, ToPrimary::Data(Box::new(call)));
    let told = b.sent.drain(..).filter_map(|(_, message)| match message {
        ToWorker::Data(answer) => Some(match answer.reply {
            DataReply::Kept(_) => "done".to_owned(),
            DataReply::Refused(why, _) => why.to_string(),
            other => format!("{other:?}"),
        }),
        _ => None,
    });
    told.collect::<Vec<_>>().concat()
}

fn create(output: u32, name: &str) -> Keep {
    Keep::Create {
        output,
        name: name.into(),
        content_type: "text/plain".into(),
    }
}

fn append(output: u32, part: u32, text: &str) -> Keep {
    Keep::Append {
        output,
        part,
        content: ResultData::Inline(text.as_bytes().to_vec()),
    }
}

fn large(output: u32, part: u32) -> Keep {
    Keep::Append {
        output,
        part,
        content: ResultData::Blob(BlobRef {
            digest: Digest([part as u8; 32]),
            len: MAX_OUTPUT_PART as u64,
        }),
    }
}

type Stored = BTreeMap<(TaskId, u32), (OutputRecord, String)>;

/// What the store holds: each output with its text.
fn stored(b: &Bench) -> Stored {
    let mut all: Stored = BTreeMap::new();
    let mut parts: BTreeMap<(TaskId, u32, u32), String> = BTreeMap::new();
    for write in &b.writes {
        match write {
            Write::Output(task, n, record) => {
                all.insert((*task, *n), ((**record).clone(), String::new()));
            }
            Write::OutputPart(task, n, part, content) => {
                let text = match &**content {
                    ResultData::Inline(bytes) => String::from_utf8(bytes.clone()).unwrap(),
                    ResultData::Blob(_) => "#".into(),
                };
                let before = parts.insert((*task, *n, *part), text);
                assert_eq!(before, None);
            }
            Write::RemoveOutputs(task) => {
                all.retain(|(of, _), _| of != task);
                parts.retain(|(of, ..), _| of != task);
            }
            _ => {}
        }
    }
    for ((task, n, _), text) in parts {
        all.get_mut(&(task, n)).unwrap().1.push_str(&text);
    }
    all
}

fn texts(b: &Bench) -> Vec<(String, String, bool)> {
    let all = stored(b).into_values();
    all.map(|(record, text)| (record.name, text, record.closed))
        .collect()
}

fn text(name: &str, text: &str, closed: bool) -> (String, String, bool) {
    (name.into(), text.into(), closed)
}

#[test]
fn parts_are_added_once_and_in_order() {
    let (mut b, all) = running(1);
    let a = all[0];
    let table: &[(Keep, &str)] = &[
        (create(1, "late"), "invalid"),
        (append(0, 0, "x"), "invalid"),
        (create(0, "a"), "done"),
        (create(0, "a"), "done"),
        (create(0, "other"), "invalid"),
        (create(1, "a"), "invalid"),
        (create(1, "b/c"), "invalid"),
        (create(1, "b"), "done"),
        (append(0, 0, "one "), "done"),
        (append(0, 0, "one "), "done"),
        (append(0, 2, "three"), "invalid"),
        (append(0, 1, "two"), "done"),
        (large(1, 0), "done"),
        (Keep::Close { output: 0 }, "done"),
        (Keep::Close { output: 0 }, "done"),
        (append(0, 2, "more"), "invalid"),
        (append(0, 1, "two"), "done"),
        (append(2, 0, "x"), "invalid"),
        (append(1, 1, &"x".repeat(17 << 10)), "invalid"),
        (Keep::Close { output: 2 }, "invalid"),
    ];
    for (keep, expected) in table {
        let came = ask(&mut b, a, keep.clone());
        assert_eq!(came, *expected, "{keep:?}");
    }
    assert_eq!(
        texts(&b),
        [text("a", "one two", true), text("b", "#", false)]
    );
    let stranger = Lease { attempt: 9, ..a.1 };
    assert_eq!(ask(&mut b, (a.0, stranger), create(0, "s")), "");
    b.end(1, a, None);
    // They stay as long as the job.
    assert_eq!(texts(&b).len(), 2);
}

#[test]
fn they_have_bounds() {
    let (mut b, all) = running(1);
    for n in 0..MAX_OUTPUTS as u32 {
        assert_eq!(ask(&mut b, all[0], create(n, &n.to_string())), "done");
    }
    let more = create(MAX_OUTPUTS as u32, "more");
    assert_eq!(ask(&mut b, all[0], more), "full");
    let parts = (MAX_OUTPUT_BYTES / MAX_OUTPUT_PART as u64) as u32;
    for part in 0..parts {
        let output = part % 2;
        assert_eq!(ask(&mut b, all[0], large(output, part / 2)), "done");
    }
    assert_eq!(ask(&mut b, all[0], append(2, 0, "x")), "full");
}

#[test]
fn those_of_a_superseded_attempt_go_when_another_writes() {
    let (mut b, all) = running(1);
    ask(&mut b, all[0], create(0, "a"));
    ask(&mut b, all[0], create(1, "b"));
    ask(&mut b, all[0], append(0, 0, "old"));
    b.end(1, all[0], Some(FailureKind::LostExecutor));
    b.want(1, 1, 1);
    let second = b.leases()[0];
    b.sent.clear();
    assert_eq!(ask(&mut b, all[0], append(0, 1, "late")), "");
    assert_eq!(ask(&mut b, second, append(0, 1, "x")), "invalid");
    assert_eq!(ask(&mut b, second, create(0, "a")), "done");
    assert_eq!(ask(&mut b, second, append(0, 0, "new")), "done");
    assert_eq!(texts(&b), [text("a", "new", false)]);
}

#[test]
fn a_restarted_primary_goes_on_with_them() {
    let (mut b, all) = running(2);
    for held in &all {
        ask(&mut b, *held, create(0, "a"));
        ask(&mut b, *held, append(0, 0, "one "));
    }
    b.end(1, all[1], None);
    let job = all[0].0.job;
    let outputs = stored(&b).into_iter();
    let recovered = Recovered {
        last_job: Some(job),
        jobs: vec![*b.ended_job(job, plan(2))],
        data: RecoveredData {
            outputs: outputs.map(|((task, _), (of, _))| (task, of)).collect(),
            ..RecoveredData::default()
        },
        ..Recovered::default()
    };
    let writes = std::mem::take(&mut b.writes);
    let mut b = Bench::recovered(2, recovered);
    b.writes = writes;
    let held = wasmhost_proto::wire::Held {
        task: all[0].0,
        lease: all[0].1,
        started: None,
    };
    b.join(1, 1, 2, 1, vec![held]);
    b.sent.clear();
    assert_eq!(ask(&mut b, all[0], append(0, 0, "one ")), "done");
    assert_eq!(ask(&mut b, all[0], append(0, 1, "two")), "done");
    assert_eq!(texts(&b)[0], text("a", "one two", false));
    // The other task has ended, and its outputs are nobody's to change.
    assert_eq!(ask(&mut b, all[1], append(0, 1, "x")), "");
}
