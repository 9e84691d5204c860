//! Jobs from the client's side: restarts, keys, retries.

use super::super::handle::{ApiRefusal, Stopped};
use super::worker::text;
use super::{Place, array};
use wasmhost_core::primary::{Refusal, Reply};
use wasmhost_proto::JobId;
use wasmhost_proto::api::JobState;

#[tokio::test]
async fn a_restart_goes_on_with_what_was_acknowledged() {
    let place = Place::new().await;
    let job = place.submit(array(10)).await;
    let mut worker = place.worker(1).await;
    worker.work(3, |_, index| text(index)).await;
    assert_eq!((worker.term, place.handle.term()), (1, 1));
    let handle = place.handle.clone();
    let dir = place.shut_down().await;
    assert_eq!(handle.ask(|_, _| ()).await, Err(Stopped));
    let refused = handle.submit(array(1), None).await;
    assert_eq!(refused, Err(ApiRefusal::Stopped));
    drop(handle);

    let place = Place::on(dir).await;
    let mut worker = place.worker(2).await;
    worker.work(7, |_, index| text(index)).await;
    assert_eq!((worker.term, place.handle.term()), (2, 2));
    assert_eq!(place.ended(job).await, JobState::Succeeded);
    let outcomes = place.handle.store().outcomes(job, 0, 0, 100).unwrap();
    let terms = outcomes.iter().map(|(_, outcome)| outcome.lease.term);
    assert_eq!(terms.filter(|term| *term == 1).count(), 3);
    assert_eq!(outcomes.len(), 10);
    place.shut_down().await;
}

#[tokio::test]
async fn a_key_stands_for_one_job_before_and_after_its_end() {
    let place = Place::new().await;
    let key = || Some("key".to_owned());
    let (first, second) = tokio::join!(
        place.handle.submit(array(2), key()),
        place.handle.submit(array(2), key())
    );
    let Ok(Reply::Job { id, .. }) = first else {
        panic!("{first:?}")
    };
    let created = |reply| match reply {
        Ok(Reply::Job { id: got, created }) if got == id => created,
        other => panic!("{other:?}"),
    };
    assert!(created(first) != created(second), "one of them made it");
    let reused = Err(ApiRefusal::Refused(Refusal::KeyReused(id)));
    assert_eq!(place.handle.submit(array(3), key()).await, reused);
    place.handle.cancel(id, None).await.unwrap();
    assert_eq!(place.ended(id).await, JobState::Cancelled);
    assert!(!created(place.handle.submit(array(2), key()).await));
    assert_eq!(place.handle.submit(array(3), key()).await, reused);
    place.shut_down().await;
}

#[tokio::test]
async fn an_ended_job_is_retried_once() {
    let place = Place::new().await;
    let job = place.submit(array(2)).await;
    let check = async |job, refusal| {
        let refused = Err(ApiRefusal::Refused(refusal));
        assert_eq!(place.handle.retry(job).await, refused);
    };
    check(job, Refusal::NotEnded(job)).await;
    check(JobId(1), Refusal::NoSuchJob(JobId(1))).await;
    place.handle.cancel(job, None).await.unwrap();
    assert_eq!(place.ended(job).await, JobState::Cancelled);
    let (first, second) = tokio::join!(place.handle.retry(job), place.handle.retry(job));
    assert!(first.is_ok() != second.is_ok(), "{first:?} and {second:?}");
    let mut worker = place.worker(1).await;
    worker.work(2, |_, index| text(index)).await;
    assert_eq!(place.ended(job).await, JobState::Succeeded);
    check(job, Refusal::NothingToRetry(job)).await;
    place.shut_down().await;
}
