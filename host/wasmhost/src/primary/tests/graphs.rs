//! What is found out about nodes of graphs from the results before them.

use super::worker::Worker;
use super::{Place, node, plan};
use wasmhost_proto::JobId;
use wasmhost_proto::api::JobState;
use wasmhost_proto::input::{Array, BlobRef, Input, Rendered};
use wasmhost_proto::limits::{MAX_CONDITION_RESULT, MAX_PREPARED_INLINE};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan, OnFailure, Script};
use wasmhost_proto::wire::{End, NodeSpec, ResultData};

fn given(name: &str, count: u32) -> NodePlan {
    node(name, count, NodeInput::Given(Input::Item))
}

fn success(bytes: impl Into<Vec<u8>>) -> End {
    End::Success(ResultData::Inline(bytes.into()))
}

/// A job of nodes, the first of which has `first.len()` tasks that end so; every other
/// task returns nothing. The job, and what was run after the first node.
async fn run(
    place: &Place,
    mut nodes: Vec<NodePlan>,
    first: &[Result<&str, FailureKind>],
    more: u32,
) -> (JobId, Vec<(String, u32, Rendered)>) {
    let lead = given("first", first.len() as u32);
    nodes.insert(0, lead);
    let plan = JobPlan {
        on_failure: OnFailure::Continue,
        ..plan(nodes)
    };
    let job = place.submit(plan).await;
    let mut worker = place.worker(1).await;
    let end = |_: &NodeSpec, index: u32| match first[index as usize] {
        Ok(text) => success(text),
        Err(kind) => End::Failure(Box::new(Failure::new(kind, "why")), None),
    };
    worker.work(first.len() as u32, end).await;
    worker.ran.clear();
    if more > 0 {
        worker.work(more, |_, _| success("")).await;
    }
    place.ended(job).await;
    (job, worker.ran)
}

/// What a node with `input` is given after a node whose tasks end so.
async fn check_input(
    input: NodeInput,
    change: impl FnOnce(&mut NodePlan),
    first: &[Result<&str, FailureKind>],
    want: &[u8],
) {
    let place = Place::new().await;
    let mut last = node("last", 1, input);
    change(&mut last);
    let (_, ran) = run(&place, vec![last], first, 1).await;
    let wants = [("last".to_owned(), 0, Rendered::Bytes(want.to_vec()))];
    assert_eq!(ran, wants, "{}", String::from_utf8_lossy(want));
    place.shut_down().await;
}

fn script(node: &mut NodePlan) {
    node.kind = ModuleKind::Command;
    node.script = Some(Script {
        name: "last.js".into(),
        source: BlobRef {
            digest: wasmhost_proto::Digest([8; 32]),
            len: 1,
        },
    });
}

const TRAP: Result<&str, FailureKind> = Err(FailureKind::Trap);

#[tokio::test]
async fn inputs_are_made_of_results() {
    let gather = || NodeInput::Gather(0);
    let join = || NodeInput::Join(vec![0]);
    let mixed = [Ok("{\"a\": 1}"), TRAP, Ok("a \"text\"\n")];
    check_input(gather(), script, &mixed, br#"[{"a": 1},"a \"text\"\n"]"#).await;
    check_input(gather(), script, &[TRAP], b"[]").await;
    check_input(
        gather(),
        |_| (),
        &[Ok("x"), Ok("yz")],
        b"\x82\x82\x00\x41x\x82\x01\x42yz",
    )
    .await;
    check_input(NodeInput::Result(0), |_| (), &[Ok("as it is")], b"as it is").await;
    check_input(NodeInput::Result(0), |_| (), &[TRAP], b"").await;
    check_input(join(), |_| (), &[Ok("7")], br#"{"first":7}"#).await;
    check_input(join(), |_| (), &[TRAP], br#"{"first":null}"#).await;
    check_input(
        join(),
        |_| (),
        &[Ok("1"), TRAP, Ok("")],
        br#"{"first":[1,""]}"#,
    )
    .await;
}

#[tokio::test]
async fn a_large_input_is_a_file() {
    let place = Place::new().await;
    // Text of two bytes each, so that pieces of a file end within a character.
    let large = "\u{e4}".repeat(MAX_PREPARED_INLINE);
    let mut last = node("last", 1, NodeInput::Gather(0));
    script(&mut last);
    let (_, ran) = run(&place, vec![last], &[Ok(&large), Ok("1")], 1).await;
    let [(_, _, Rendered::Blob(blob))] = &ran[..] else {
        panic!("{ran:?}")
    };
    let (file, _) = place
        .handle
        .blobs()
        .open_file(blob.digest)
        .unwrap()
        .unwrap();
    let text = std::io::read_to_string(file).unwrap();
    assert_eq!(text, format!("[\"{large}\",1]"));
    assert!(
        place
            .handle
            .store()
            .named_blobs()
            .unwrap()
            .contains(&blob.digest)
    );
    place.shut_down().await;
}

fn over(array: Array) -> NodePlan {
    NodePlan {
        array,
        after: vec![0],
        ..given("map", 1)
    }
}

/// The inputs of the tasks that `array` makes of the results of the first node.
async fn check_items(array: Array, first: &[Result<&str, FailureKind>], want: &[&str]) {
    let place = Place::new().await;
    let (job, ran) = run(&place, vec![over(array)], first, want.len() as u32).await;
    let want = want.iter().enumerate().map(|(n, text)| {
        let input = Rendered::Bytes(text.as_bytes().to_vec());
        ("map".to_owned(), n as u32, input)
    });
    assert!(want.eq(ran.iter().cloned()), "{ran:?}");
    let counts = place.handle.store().job(job).unwrap().unwrap().counts;
    assert_eq!(counts.total, first.len() as u64 + ran.len() as u64);
    place.shut_down().await;
}

#[tokio::test]
async fn arrays_are_made_of_results() {
    check_items(Array::Results(0), &[Ok("a"), TRAP, Ok("b")], &["a", "b"]).await;
    check_items(Array::Results(0), &[TRAP], &[]).await;
    let list = "[1, \"two\", {\"three\": [3]}, null]";
    let want = ["1", "\"two\"", "{\"three\":[3]}", ""];
    check_items(Array::Elements(0), &[Ok(list)], &want).await;
    check_items(Array::Elements(0), &[Ok("[]")], &[]).await;
    check_items(Array::Elements(0), &[TRAP], &[]).await;
}

/// A job whose second node cannot be prepared; how it fails.
async fn check_failure(second: NodePlan, first: &str, want: &str) {
    let place = Place::new().await;
    let (job, _) = run(&place, vec![second], &[Ok(first)], 0).await;
    let record = place.handle.store().job(job).unwrap().unwrap();
    assert_eq!(record.state, JobState::Failed);
    let failure = record.failure.unwrap().failure;
    assert_eq!(failure.kind, FailureKind::BadInput);
    assert!(failure.message.contains(want), "{}", failure.message);
    place.shut_down().await;
}

#[tokio::test]
async fn what_cannot_be_made_of_results_fails_the_job() {
    let elements = || over(Array::Elements(0));
    let list = "task 'map' cannot begin: its tasks are made of the result first[0], which is not a JSON list";
    check_failure(elements(), "{}", list).await;
    check_failure(elements(), "[1, 2", list).await;
    check_failure(elements(), "[1] 2", list).await;
    let when = |text: &str| NodePlan {
        when: Some(text.into()),
        ..over(Array::Single)
    };
    check_failure(when("results.first.rows > 1"), "{}", "has no value").await;
    check_failure(
        when("results.first >"),
        "{}",
        "its condition 'results.first >'",
    )
    .await;
}

/// Whether a node with a condition runs after one whose tasks end so.
async fn check_condition(when: &str, first: &[Result<&str, FailureKind>], want: bool) {
    let place = Place::new().await;
    let last = NodePlan {
        when: Some(when.into()),
        ..over(Array::Single)
    };
    let (job, ran) = run(&place, vec![last], first, u32::from(want)).await;
    assert_eq!(ran.len() == 1, want, "{when}");
    let counts = place.handle.store().job(job).unwrap().unwrap().counts;
    assert_eq!(counts.skipped, u64::from(!want), "{when}");
    place.shut_down().await;
}

#[tokio::test]
async fn conditions_read_what_came_before() {
    let rows = [Ok("{\"rows\": 3}")];
    check_condition("results.first.rows > 2", &rows, true).await;
    check_condition("results.first.rows > 3", &rows, false).await;
    check_condition("results.first == 'plain'", &[Ok("plain")], true).await;
    check_condition("results.first", &[TRAP], false).await;
    check_condition(
        "tasks.first.failed == 1 and tasks.first.total == 2",
        &[TRAP, Ok("")],
        true,
    )
    .await;
    check_condition("results.first == [1, 2]", &[Ok("1"), TRAP, Ok("2")], true).await;
    let large = "9".repeat(MAX_CONDITION_RESULT as usize / 8);
    let list: Vec<_> = (0..4).map(|_| Ok(&*large)).collect();
    check_condition("results.first", &list, true).await;
}

#[tokio::test]
async fn a_primary_that_takes_over_knows_the_items_of_live_jobs() {
    let place = Place::new().await;
    let job = place
        .submit(plan(vec![given("first", 2), over(Array::Results(0))]))
        .await;
    let mut worker = place.worker(1).await;
    worker
        .work(2, |_, index| success(format!("item {index}")))
        .await;
    worker.work(1, |_, _| success("")).await;
    drop(worker);
    let place = Place::on(place.shut_down().await).await;
    let mut worker = Worker::connect(&place.handle, &place.dir.path().join("worker"), 2).await;
    worker.work(1, |_, _| success("")).await;
    let input = Rendered::Bytes(b"item 1".to_vec());
    assert_eq!(worker.ran, [("map".to_owned(), 1, input)]);
    assert_eq!(place.ended(job).await, JobState::Succeeded);
    place.shut_down().await;
}
