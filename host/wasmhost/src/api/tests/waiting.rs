//! Requests that wait for the end of a job.

use super::{Fixture, plan};
use serde_json::json;
use wasmhost_proto::input::Array;

/// Nobody waits so long: an answer means that the wait was over before.
const LONG: &str = "wait_ms=60000";

#[tokio::test]
async fn what_has_ended_is_not_waited_for() {
    let fixture = Fixture::new().await;
    fixture.good_job("0a00000000").await;
    let job = fixture
        .get(&format!("/api/v1/jobs/0a00000000?{LONG}"))
        .await;
    assert_eq!(job.json()["state"], "succeeded");
    let result = fixture.get(&format!("/api/v1/jobs/0a/result?{LONG}")).await;
    assert_eq!((result.status.as_u16(), &*result.body), (200, &b"x"[..]));
}

#[tokio::test]
async fn the_end_of_a_job_ends_the_wait() {
    let fixture = Fixture::new().await;
    let id = fixture.live_job(plan("a", Array::Single)).await;
    let (job, result) = (
        format!("/api/v1/jobs/{id}?{LONG}"),
        format!("/api/v1/jobs/{id}/result?{LONG}"),
    );
    let cancel = format!("/api/v1/jobs/{id}/cancel");
    let (job, result, cancel) = tokio::join!(
        fixture.get(&job),
        fixture.get(&result),
        fixture.post(&cancel, json!({})),
    );
    assert_eq!(job.json()["state"], "cancelled");
    assert_eq!(result.said(), "409 job_cancelled");
    assert_eq!(cancel.said(), "200");
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_with_the_server() {
    let fixture = Fixture::new().await;
    let id = fixture.live_job(plan("a", Array::Single)).await;
    let check = async |query: &str, job: &str, result: &str| {
        let of = |what: &str| format!("/api/v1/jobs/{id}{what}?{query}");
        assert_eq!(fixture.get(&of("")).await.said(), job, "{query}");
        assert_eq!(fixture.get(&of("/result")).await.said(), result, "{query}");
    };
    check("", "200", "409 not_ended").await;
    check("wait_ms=0", "200", "409 not_ended").await;
    check("wait_ms=1", "200", "409 not_ended").await;
    for bad in ["wait_ms=-1", "wait_ms=soon", "wait_ms=1.5", "wait=1"] {
        check(bad, "400 bad_query", "400 bad_query").await;
    }
    fixture.app.closing.cancel();
    check(LONG, "200", "409 not_ended").await;
}

#[tokio::test]
async fn waits_are_bounded_as_watchers_are() {
    let fixture = Fixture::new().await;
    let id = fixture.live_job(plan("a", Array::Single)).await;
    let all = wasmhost_proto::limits::MAX_WATCHERS as u32;
    let places = fixture.app.watchers.clone();
    let taken = places.acquire_many_owned(all).await.unwrap();
    let check = async |query: &str, want: &str| {
        let answer = fixture.get(&format!("/api/v1/jobs/{id}{query}")).await;
        assert_eq!(answer.said(), want, "{query}");
    };
    check("?wait_ms=1", "503 busy").await;
    check("/result?wait_ms=1", "503 busy").await;
    check("", "200").await;
    drop(taken);
    check("?wait_ms=1", "200").await;
}
