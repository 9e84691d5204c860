//! What becomes of results: recorded, gathered, missed.

use super::super::Change;
use super::worker::text;
use super::{Place, array, node, plan};
use sha2::{Digest as _, Sha256};
use wasmhost_core::record::StoredResult;
use wasmhost_proto::Digest;
use wasmhost_proto::api::JobState;
use wasmhost_proto::input::{BlobRef, Input, Rendered};
use wasmhost_proto::limits::MAX_INLINE;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::plan::{NodeInput, OnFailure};
use wasmhost_proto::wire::{End, NodeSpec, ResultData};

#[tokio::test]
async fn results_are_recorded_and_gathered() {
    let place = Place::new().await;
    let mut changes = place.handle.changes();
    let gather = node("reduce", 1, NodeInput::Gather(0));
    let map = node("map", 300, NodeInput::Given(Input::Item));
    let job = place.submit(plan(vec![map, gather])).await;
    let mut worker = place.worker(1).await;

    let large = vec![7; MAX_INLINE + 1];
    let file = place.dir.path().join("large");
    std::fs::write(&file, &large).unwrap();
    let blob = BlobRef {
        digest: Digest(Sha256::digest(&large).into()),
        len: large.len() as u64,
    };
    worker.uplink.push(&blob, &file).await.unwrap();
    let result = |index| match index {
        299 => End::Success(ResultData::Blob(blob.clone())),
        index => text(index),
    };
    worker.work(300, |_, index| result(index)).await;
    let input = worker.reduce().await;

    assert_eq!(place.ended(job).await, JobState::Succeeded);
    let fetched = place.dir.path().join("input");
    worker.uplink.fetch(&input, &fetched).await.unwrap();
    let gathered: Vec<(u32, serde_bytes::ByteBuf)> =
        ciborium::from_reader(&*std::fs::read(&fetched).unwrap()).unwrap();
    let want = (0..300).map(|index| match index {
        299 => (index, large.clone().into()),
        index => (index, format!("result {index}").into_bytes().into()),
    });
    assert!(gathered.into_iter().eq(want));
    let outcomes = place.handle.store().outcomes(job, 0, 298, 10).unwrap();
    assert_eq!(outcomes[1].1.result, Some(StoredResult::Blob(blob)));
    let mut seen = Vec::new();
    while let Ok(change) = changes.try_recv() {
        seen.push(change);
    }
    assert!(seen.contains(&Change::Job(job)) && seen.contains(&Change::JobEnded(job)));
    place.shut_down().await;
}

#[tokio::test]
async fn a_command_gets_the_successes_one_after_another() {
    let place = Place::new().await;
    let mut gather = node("reduce", 1, NodeInput::Gather(0));
    gather.kind = ModuleKind::CoreCommand;
    let mut plan = plan(vec![node("map", 3, NodeInput::Given(Input::Item)), gather]);
    plan.on_failure = OnFailure::Continue;
    let job = place.submit(plan).await;
    let mut worker = place.worker(1).await;
    let failure = || Box::new(Failure::new(FailureKind::Trap, "unreachable"));
    let output = ResultData::Inline(b"output of a failure".to_vec());
    let map = |_: &NodeSpec, index| match index {
        1 => End::Failure(failure(), Some(output.clone())),
        index => text(index),
    };
    worker.work(3, map).await;
    worker.work(1, |_, _| text(0)).await;
    assert_eq!(place.ended(job).await, JobState::Failed);
    let input = worker.ran.pop().unwrap().2;
    assert_eq!(input, Rendered::Bytes(b"result 0result 2".to_vec()));
    place.shut_down().await;
}

#[tokio::test]
async fn a_result_that_did_not_arrive_is_a_failure() {
    let place = Place::new().await;
    let job = place.submit(array(1)).await;
    let mut worker = place.worker(1).await;
    let lie = BlobRef {
        digest: Digest([9; 32]),
        len: 1 << 20,
    };
    worker
        .work(1, |_, _| End::Success(ResultData::Blob(lie.clone())))
        .await;
    assert_eq!(place.ended(job).await, JobState::Failed);
    let outcomes = place.handle.store().outcomes(job, 0, 0, 1).unwrap();
    let (_, outcome) = outcomes.into_iter().next().unwrap();
    assert_eq!(outcome.result, None);
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.kind, FailureKind::HostFault);
    assert!(
        failure.message.contains("did not reach the primary"),
        "{}",
        failure.message
    );
    place.shut_down().await;
}
