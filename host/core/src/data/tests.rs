//! What calls come to, and that what is written down is all there is.

use super::*;
use wasmhost_proto::data::DataRefusal::{Full, Invalid, NotANumber};
use wasmhost_proto::limits::{MAX_DATA_KEY, MAX_DATA_VALUE};

const AT: Timestamp = Timestamp(7);

fn job(id: u64) -> SpaceId {
    SpaceId::Job(JobId(id))
}

fn public(name: &str) -> SpaceId {
    SpaceId::Public(name.into())
}

fn set(key: &str, value: DataValue, expect: Expect) -> DataOp {
    let key = key.into();
    DataOp::Set { key, value, expect }
}

fn put(key: &str, number: i64) -> DataOp {
    set(key, DataValue::Int(number), Expect::Any)
}

fn add(key: &str, by: i64) -> DataOp {
    let key = key.into();
    DataOp::Add { key, by }
}

fn get(key: &str) -> DataOp {
    DataOp::Get { key: key.into() }
}

fn delete(key: &str, expect: Expect) -> DataOp {
    let key = key.into();
    DataOp::Delete { key, expect }
}

fn list(prefix: &str, after: Option<&str>, limit: u32) -> DataOp {
    DataOp::List {
        prefix: prefix.into(),
        after: after.map(str::to_owned),
        limit,
    }
}

/// A reply in few words.
fn told(reply: &DataReply) -> String {
    let value = |entry: &Entry| match &entry.value {
        DataValue::Int(number) => format!("{}={number}", entry.key),
        other => format!("{}={other:?}", entry.key),
    };
    match reply {
        DataReply::Entry(None) => "none".into(),
        DataReply::Entry(Some(entry)) => format!("{}#{}", value(entry), entry.revision),
        DataReply::Written(revision) => format!("#{revision}"),
        DataReply::Sum(sum, revision) => format!("{sum}#{revision}"),
        DataReply::Conflict(revision) => format!("not #{revision}"),
        DataReply::Page(entries, more) => {
            let all: Vec<String> = entries.iter().map(value).collect();
            format!("{}{}", all.join(" "), if *more { " …" } else { "" })
        }
        DataReply::Refused(why, _) => why.to_string(),
        DataReply::Kept(kept) => format!("{kept:?}"),
        DataReply::Job(reply) => format!("{reply:?}"),
    }
}

/// Makes the calls, each in its space, and compares what came of each; then loads what
/// was written into another one, which has to be the same.
fn check(calls: &[(SpaceId, DataOp, &str)]) -> Data {
    let mut data = Data::default();
    let mut stored: BTreeMap<(SpaceId, String), Entry> = BTreeMap::new();
    for (space, op, want) in calls {
        let writes = op.writes();
        let (reply, write) = data.call(AT, Writer::Client, space, op.clone());
        assert_eq!(told(&reply), *want, "{op:?} in {space:?}");
        assert!(writes || write.is_none());
        let Some(write) = write else { continue };
        assert_eq!(write.revision, data.revision);
        let key = (write.space, write.key);
        match write.entry {
            Some(entry) => stored.insert(key, entry),
            None => stored.remove(&key),
        };
    }
    let entries = stored.into_iter().map(|((space, _), entry)| (space, entry));
    let again = Data::recover(RecoveredData {
        revision: data.revision,
        entries: entries.collect(),
        ..RecoveredData::default()
    });
    assert_eq!(format!("{again:?}"), format!("{data:?}"));
    data
}

#[test]
fn one_order_per_key() {
    check(&[
        (job(1), get("a"), "none"),
        (job(1), put("a", 1), "#1"),
        (job(2), get("a"), "none"),
        (public("a"), get("a"), "none"),
        (job(1), get("a"), "a=1#1"),
        (public("a"), put("a", 2), "#2"),
        (job(1), put("a", 3), "#3"),
        (public("a"), get("a"), "a=2#2"),
        (job(1), get("a"), "a=3#3"),
    ]);
}

#[test]
fn a_change_asks_for_what_is_there() {
    let seven = |expect| set("a", DataValue::Int(7), expect);
    check(&[
        (job(1), seven(Expect::Revision(1)), "not #0"),
        (job(1), seven(Expect::Absent), "#1"),
        (job(1), seven(Expect::Absent), "not #1"),
        (job(1), seven(Expect::Revision(1)), "#2"),
        (job(1), seven(Expect::Revision(1)), "not #2"),
        (job(1), delete("a", Expect::Revision(1)), "not #2"),
        (job(1), delete("a", Expect::Revision(2)), "#0"),
        (job(1), delete("a", Expect::Any), "#0"),
        (job(1), delete("a", Expect::Revision(2)), "not #0"),
        // Never used twice: who saw revision 2 sees that it is another one.
        (job(1), seven(Expect::Absent), "#4"),
    ]);
}

#[test]
fn numbers_are_added_to() {
    check(&[
        (job(1), add("n", 2), "2#1"),
        (job(1), add("n", -5), "-3#2"),
        (job(1), put("n", i64::MAX), "#3"),
        (job(1), add("n", 1), "not-a-number"),
        (job(1), get("n"), &format!("n={}#3", i64::MAX)),
        (
            job(1),
            set("t", DataValue::Text("1".into()), Expect::Any),
            "#4",
        ),
        (job(1), add("t", 1), "not-a-number"),
    ]);
}

#[test]
fn lists_go_on_where_they_ended() {
    check(&[
        (job(1), put("a/1", 1), "#1"),
        (job(1), put("a/2", 2), "#2"),
        (job(1), put("b/1", 3), "#3"),
        (job(1), put("a/3", 4), "#4"),
        (job(1), list("", None, 10), "a/1=1 a/2=2 a/3=4 b/1=3"),
        (job(1), list("a/", None, 10), "a/1=1 a/2=2 a/3=4"),
        (job(1), list("a/", None, 2), "a/1=1 a/2=2 …"),
        (job(1), list("a/", Some("a/2"), 2), "a/3=4"),
        (job(1), list("a/", Some("0"), 1), "a/1=1 …"),
        (job(1), list("c", None, 10), ""),
        (job(2), list("", None, 10), ""),
    ]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bad = |op: DataOp| (job(1), op, "invalid");
    let long = "k".repeat(MAX_DATA_KEY + 1);
    assert_eq!(Invalid.to_string(), "invalid");
    assert_eq!(NotANumber.to_string(), "not-a-number");
    check(&[
        bad(get("")),
        bad(get(&long)),
        bad(get("a\nb")),
        bad(put("", 1)),
        bad(add("\0", 1)),
        bad(delete("", Expect::Any)),
        bad(list(&long, None, 1)),
        bad(list("", Some(&long), 1)),
        bad(set("f", DataValue::Float(f64::NAN), Expect::Any)),
        bad(set("f", DataValue::Float(f64::INFINITY), Expect::Any)),
        bad(set("j", DataValue::Json("{".into()), Expect::Any)),
        bad(set(
            "b",
            DataValue::Bytes(vec![0; MAX_DATA_VALUE + 1]),
            Expect::Any,
        )),
        (
            job(1),
            set("j", DataValue::Json("{}".into()), Expect::Any),
            "#1",
        ),
    ]);
}

#[test]
fn there_is_an_end_of_room() {
    let block = |n: usize| {
        let value = DataValue::Bytes(vec![0; MAX_DATA_VALUE]);
        set(&format!("{n:04}"), value, Expect::Any)
    };
    let mut data = Data::default();
    let mut fill = |space: SpaceId, most: usize| {
        for n in 0.. {
            let (reply, write) = data.call(AT, Writer::Client, &space, block(n));
            let bytes = data.spaces[&space].bytes;
            assert!(bytes <= most);
            if let DataReply::Refused(why, _) = reply {
                assert_eq!((why, write), (Full, None));
                assert!(bytes > most - 2 * MAX_DATA_VALUE);
                // What is there can be written again, and room can be made.
                assert!(matches!(
                    data.call(AT, Writer::Client, &space, block(0)).0,
                    DataReply::Written(_)
                ));
                data.call(AT, Writer::Client, &space, delete("0000", Expect::Any));
                assert!(matches!(
                    data.call(AT, Writer::Client, &space, block(n)).0,
                    DataReply::Written(_)
                ));
                return;
            }
        }
    };
    fill(job(1), MAX_JOB_DATA);
    fill(public("a"), MAX_SPACE_DATA);
    fill(job(2), MAX_JOB_DATA);
    assert!(data.remove_job(JobId(1)) && !data.remove_job(JobId(1)));
    let left: usize = data.spaces.values().map(|space| space.bytes).sum();
    assert_eq!(data.bytes, left);
}

#[test]
fn public_spaces_are_counted() {
    let mut data = Data::default();
    for n in 0..MAX_DATA_SPACES {
        let (reply, _) = data.call(AT, Writer::Client, &public(&n.to_string()), put("a", 1));
        assert!(matches!(reply, DataReply::Written(_)));
    }
    let one_more = public("one-more");
    let (reply, _) = data.call(AT, Writer::Client, &one_more, put("a", 1));
    assert!(matches!(reply, DataReply::Refused(Full, _)));
    // An empty one is none.
    data.call(AT, Writer::Client, &public("7"), delete("a", Expect::Any));
    let (reply, _) = data.call(AT, Writer::Client, &one_more, put("a", 1));
    assert!(matches!(reply, DataReply::Written(_)));
    let (reply, _) = data.call(AT, Writer::Client, &job(1), put("a", 1));
    assert!(matches!(reply, DataReply::Written(_)));
}
