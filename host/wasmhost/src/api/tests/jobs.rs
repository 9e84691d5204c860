//! Jobs, tasks, results, streams of events.

use super::*;
use futures_util::StreamExt;
use serde_json::json;
use wasmhost_core::record::AttemptRecord;
use wasmhost_proto::outcome::FailureKind;

fn trap() -> Failure {
    Failure::new(FailureKind::Trap, "unreachable")
}

#[tokio::test]
async fn prefixes_name_one_job_or_list_the_candidates() {
    let fixture = Fixture::new().await;
    for id in ["0jx5000000", "0jx5000001", "0jx6000000"] {
        fixture.good_job(id).await;
    }
    let check = async |text: &str, status: u16, want: &str| {
        let answer = fixture.get(&format!("/api/v1/jobs/{text}")).await;
        let got = answer.json();
        let named = if status == 200 {
            &got["id"]
        } else {
            &got["code"]
        };
        assert_eq!(
            (answer.status.as_u16(), named.as_str().unwrap()),
            (status, want),
            "{text}"
        );
        got
    };
    check("0jx6", 200, "0jx6000000").await;
    check("0JX5000001", 200, "0jx5000001").await;
    check("latest", 200, "0jx6000000").await;
    check("1", 404, "not_found").await;
    let problem = check("0jx5", 409, "ambiguous_id").await;
    let candidates: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["message"])
        .collect();
    assert_eq!(candidates, ["0jx5000000", "0jx5000001"]);
}

#[tokio::test]
async fn a_list_is_newest_first_in_pages_live_and_ended() {
    let fixture = Fixture::new().await;
    for id in ["0000000001", "0000000002", "0000000003"] {
        fixture
            .ended_job(id, plan("old", Array::Single), vec![Some(success(b""))])
            .await;
    }
    let live = fixture.live_job(plan("new", range(9))).await.to_string();
    let all = [live.as_str(), "0000000003", "0000000002", "0000000001"];
    let check = async |query: &str, want: &[&str]| {
        let got = fixture.list(&format!("/api/v1/jobs?{query}"), "id").await;
        assert_eq!(got, want, "{query}");
    };
    check("limit=50", &all).await;
    check("limit=1", &all).await;
    check("limit=2", &all).await;
    check("limit=0", &all).await;
    check("limit=3&state=succeeded", &all[1..]).await;
    check("limit=1&state=queued", &all[..1]).await;
    check("state=failed", &[]).await;
}

#[tokio::test]
async fn tasks_come_in_pages_with_their_story() {
    let fixture = Fixture::new().await;
    let mut ends: Vec<_> = (0..7).map(|i| Some(success(&[b'0' + i]))).collect();
    ends[2] = Some(end(None, Some(trap())));
    ends[5] = None;
    let job = fixture
        .ended_job("0jx5000000", plan("a", range(7)), ends)
        .await;
    let failed = AttemptRecord {
        lease: Lease {
            term: 1,
            attempt: 1,
        },
        worker: None,
        started: None,
        ended: Timestamp(2_500),
        failure: trap(),
        usage: Usage::default(),
        status: Status::default(),
        log: "before\n".into(),
    };
    let task = TaskId {
        job,
        node: 0,
        index: 2,
    };
    fixture.write(Write::Attempt(task, Box::new(failed))).await;

    let check = async |query: &str, want: &[u64]| {
        let path = format!("/api/v1/jobs/0jx5/tasks?{query}");
        assert_eq!(fixture.list(&path, "index").await, want, "{query}");
    };
    check("limit=50", &[0, 1, 2, 3, 4, 5, 6]).await;
    check("limit=1", &[0, 1, 2, 3, 4, 5, 6]).await;
    check("limit=3&node=task", &[0, 1, 2, 3, 4, 5, 6]).await;
    check("limit=2&state=succeeded&node=0", &[0, 1, 3, 4, 6]).await;
    check("state=failed", &[2]).await;
    check("state=cancelled", &[5]).await;
    check("state=running", &[]).await;

    let one = fixture.get("/api/v1/jobs/0jx5/tasks/task/2").await.json();
    assert_eq!(one["state"], "failed");
    assert_eq!(
        one["attempts"].as_array().unwrap().len(),
        1,
        "its end is shown once: {one}"
    );
    assert_eq!(one["attempts"][0]["failure"]["kind"], "trap");
    assert_eq!(one["attempts"][0]["usage"]["wall_ms"], 1.5);
    let good = fixture.get("/api/v1/jobs/0jx5/tasks/0/1").await.json();
    assert_eq!(good["result"], json!({"len": 1, "text": "1"}));
    let logs = fixture.get("/api/v1/jobs/0jx5/tasks/0/1/logs").await;
    assert_eq!(
        (logs.text().as_str(), logs.header("content-type")),
        ("a line\n", "text/plain; charset=utf-8")
    );

    let live = fixture.live_job(plan("b", range(2))).await;
    let waiting = fixture
        .get(&format!("/api/v1/jobs/{live}/tasks/task/1"))
        .await
        .json();
    assert_eq!(waiting["state"], "waiting");
    assert!(
        waiting["waits_for"]
            .as_str()
            .is_some_and(|why| !why.is_empty()),
        "{waiting}"
    );
}

#[tokio::test]
async fn a_list_of_tasks_goes_on_where_it_stopped_looking() {
    let fixture = Fixture::new().await;
    // More tasks than one page looks at, the only match at the end.
    let count = wasmhost_proto::limits::MAX_PAGE_SCAN as u32 + 10;
    let mut ends: Vec<_> = (0..count).map(|_| None).collect();
    ends[count as usize - 1] = Some(success(b"last"));
    fixture
        .ended_job("0jx5000000", plan("a", range(count)), ends)
        .await;
    let first = fixture
        .get("/api/v1/jobs/0jx5/tasks?state=succeeded")
        .await
        .json();
    assert_eq!(first["items"], json!([]));
    let next = first["next_cursor"].as_str().unwrap();
    let second = fixture
        .get(&format!(
            "/api/v1/jobs/0jx5/tasks?state=succeeded&cursor={next}"
        ))
        .await
        .json();
    assert_eq!(second["items"][0]["index"], count - 1);
    assert_eq!(second.get("next_cursor"), None);
}

#[tokio::test]
async fn results_are_bytes_or_the_reason_why_not() {
    let fixture = Fixture::new().await;
    let blob = fixture
        .upload("/api/v1/blobs", vec![9u8; 300 << 10])
        .await
        .json();
    let blob = serde_json::from_value(blob).unwrap();
    let output = end(
        Some(StoredResult::Inline(b"partial".into())),
        Some(Failure::new(FailureKind::ExitCode, "exit code 3")),
    );
    fixture
        .ended_job(
            "0a00000000",
            plan("in line", Array::Single),
            vec![Some(success(b"<html>"))],
        )
        .await;
    fixture
        .ended_job(
            "0b00000000",
            plan("large", Array::Single),
            vec![Some(end(Some(StoredResult::Blob(blob)), None))],
        )
        .await;
    fixture
        .ended_job(
            "0c00000000",
            plan("array", range(1)),
            vec![Some(success(b"x"))],
        )
        .await;
    fixture
        .ended_job(
            "0d00000000",
            plan("failed", Array::Single),
            vec![Some(end(None, Some(trap())))],
        )
        .await;
    fixture
        .ended_job(
            "0e00000000",
            plan("exit", Array::Single),
            vec![Some(output)],
        )
        .await;
    fixture
        .ended_job("0f00000000", plan("never", range(1)), vec![None])
        .await;
    let live = fixture.live_job(plan("live", Array::Single)).await;

    let inline = fixture.get("/api/v1/jobs/0a/result").await;
    assert_eq!(inline.text(), "<html>");
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment; filename=\"in_line\""),
        ("content-length", "6"),
        (
            "content-security-policy",
            "default-src 'none'; sandbox; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("wasmhost-failure", ""),
    ] {
        assert_eq!(inline.header(name), value);
    }
    let large = fixture.get("/api/v1/jobs/0b/tasks/task/0/result").await;
    assert_eq!(
        (large.body.len(), large.header("content-length")),
        (300 << 10, "307200")
    );
    assert!(large.body.iter().all(|b| *b == 9));
    let output = fixture.get("/api/v1/jobs/0e/tasks/task/0/result").await;
    assert_eq!(
        (output.text().as_str(), output.header("wasmhost-failure")),
        ("partial", "exit_code")
    );

    let check = async |path: &str, code: &str, says: &str| {
        let answer = fixture.get(&format!("/api/v1/jobs/{path}")).await;
        assert_eq!(answer.said(), format!("409 {code}"), "{path}");
        assert!(answer.text().contains(says), "{path}: {}", answer.text());
    };
    check("0c/result", "array_result", "[reduce]").await;
    check(
        "0d/result",
        "job_failed",
        "task 'task' index 0: trap: unreachable",
    )
    .await;
    check("0d/tasks/task/0/result", "task_failed", "trap: unreachable").await;
    check("0f/tasks/task/0/result", "no_result", "never ran").await;
    check(&format!("{live}/result"), "not_ended", "watch").await;
    check(&format!("{live}/tasks/task/0/result"), "not_ended", "watch").await;
}

#[tokio::test]
async fn a_status_shows_the_latest_and_counts_the_rest() {
    let fixture = Fixture::new().await;
    let ends = (0..200).map(|_| Some(success(b"x"))).collect();
    fixture
        .ended_job("0jx5000000", plan("a", range(200)), ends)
        .await;
    let status = fixture.get("/api/v1/jobs/0jx5/status").await.json();
    let shown = status["tasks"].as_array().unwrap().len();
    assert_eq!(shown, wasmhost_proto::limits::MAX_STATUS_ENDED);
    assert_eq!(status["tasks_left_out"], 200 - shown);
    assert_eq!(status["job"]["counts"]["succeeded"], 200);
    let small = fixture.live_job(plan("b", range(3))).await;
    let status = fixture
        .get(&format!("/api/v1/jobs/{small}/status"))
        .await
        .json();
    assert_eq!(
        (&status["tasks"], &status["tasks_left_out"]),
        (&json!([]), &json!(3))
    );
}

/// The names and data of a whole stream of events.
fn events(text: &str) -> Vec<(String, Value)> {
    let blocks = text
        .split("\n\n")
        .filter(|b| !b.is_empty() && !b.starts_with(':'));
    blocks
        .map(|block| {
            let field = |name: &str| {
                let value = block.lines().find_map(|l| l.strip_prefix(name));
                value
                    .unwrap_or_else(|| panic!("no {name} in {block}"))
                    .trim()
                    .to_owned()
            };
            (
                field("event:"),
                serde_json::from_str(&field("data:")).unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_watch_of_a_job_begins_at_once_and_ends_with_it() {
    let fixture = Fixture::new().await;
    fixture.good_job("0jx5000000").await;
    let ended = fixture.get("/api/v1/jobs/0jx5/events").await;
    assert_eq!(ended.header("content-type"), "text/event-stream");
    let seen = events(&ended.text());
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].0.as_str(), &seen[0].1["job"]["state"]),
        ("job", &json!("succeeded"))
    );

    let live = fixture.live_job(plan("b", range(3))).await;
    let request = fixture.request(Method::GET, &format!("/api/v1/jobs/{live}/events"));
    let response = fixture
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let mut stream = response.into_body().into_data_stream();
    let first = stream.next().await.unwrap().unwrap();
    let first = events(&String::from_utf8_lossy(&first));
    assert_eq!(first[0].1["job"]["state"], "queued");
    fixture
        .post(&format!("/api/v1/jobs/{live}/cancel"), json!({}))
        .await;
    let mut rest = String::new();
    while let Some(piece) = stream.next().await {
        rest.push_str(&String::from_utf8_lossy(&piece.unwrap()));
    }
    let last = events(&rest).pop().unwrap();
    assert_eq!(last.1["job"]["state"], "cancelled");
}

#[tokio::test]
async fn a_watch_of_the_cluster_tells_of_new_jobs_until_the_server_closes() {
    let fixture = Fixture::new().await;
    let live = fixture.live_job(plan("a", range(3))).await.to_string();
    let request = fixture.request(Method::GET, "/api/v1/events");
    let response = fixture
        .router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let mut stream = response.into_body().into_data_stream();
    let mut next = async || match stream.next().await {
        Some(piece) => events(&String::from_utf8_lossy(&piece.unwrap())),
        None => Vec::new(),
    };
    assert_eq!(next().await[0].1["id"], live);
    let second = fixture.live_job(plan("b", range(3))).await.to_string();
    while next().await[0].1["id"] != second {}
    fixture.app.closing.cancel();
    while !next().await.is_empty() {}
}

#[tokio::test]
async fn watchers_are_bounded() {
    let fixture = Fixture::new().await;
    let all = wasmhost_proto::limits::MAX_WATCHERS as u32;
    let taken = fixture
        .app
        .watchers
        .clone()
        .acquire_many_owned(all)
        .await
        .unwrap();
    let refused = fixture.get("/api/v1/events").await;
    assert_eq!(refused.said(), "503 busy");
    assert_eq!(refused.header("retry-after"), "1");
    drop(taken);
    fixture.good_job("0jx5000000").await;
    assert_eq!(fixture.get("/api/v1/jobs/0jx5/events").await.status, 200);
}

#[tokio::test]
async fn a_job_is_cancelled_and_tried_again() {
    let fixture = Fixture::new().await;
    let ends = vec![Some(success(b"x")), Some(end(None, Some(trap())))];
    fixture
        .ended_job("0jx5000000", plan("a", range(2)), ends)
        .await;
    let gone = fixture.post("/api/v1/jobs/0jx5/retry", json!({})).await;
    assert_eq!(gone.said(), "409 module_missing");
    // Cancelling what has ended changes nothing, and says how it ended.
    let ended = fixture.post("/api/v1/jobs/0jx5/cancel", json!({})).await;
    assert_eq!(
        (ended.status.as_u16(), &ended.json()["state"]),
        (200, &json!("failed"))
    );

    let live = fixture.live_job(plan("b", range(2))).await;
    let early = fixture
        .post(&format!("/api/v1/jobs/{live}/retry"), json!({}))
        .await;
    assert_eq!(early.said(), "409 not_ended");
    // No body at all is a body of defaults.
    let request = fixture.request(Method::POST, &format!("/api/v1/jobs/{live}/cancel"));
    let cancelled = fixture
        .send(request.body(Body::empty()).unwrap())
        .await
        .json();
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
}
