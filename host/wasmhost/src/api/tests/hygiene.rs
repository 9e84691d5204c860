//! Tokens, headers, and requests that make no sense.

use super::*;
use serde_json::json;

#[tokio::test]
async fn nothing_of_the_api_without_a_token() {
    let fixture = Fixture::new().await;
    let (_, expired) = auth::new_client_token("old", Some(1)).unwrap();
    let (expired_text, _) = auth::new_client_token("old", Some(1)).unwrap();
    let expired = wasmhost_core::record::TokenRecord {
        created: Timestamp(0),
        expires: Some(Timestamp(1)),
        ..expired
    };
    // The id of the stored record with a secret that was never its own.
    let forged = format!(
        "wht_{}_{}",
        expired.id,
        expired_text.rsplit_once('_').unwrap().1
    );
    fixture
        .app
        .handle
        .write(vec![Write::Token(expired)])
        .await
        .unwrap();
    let join = fixture
        .post("/api/v1/tokens", json!({"kind": "join"}))
        .await;
    let join = join.json()["secret"].as_str().unwrap().to_owned();
    let revoked = client_token(&fixture, None).await;
    let id = revoked.split('_').nth(1).unwrap();
    assert_eq!(
        fixture.delete(&format!("/api/v1/tokens/{id}")).await.status,
        204
    );

    let check = async |path: &str, header: Option<&str>, status: u16, code: &str| {
        let mut request = Request::get(path);
        if let Some(value) = header {
            request = request.header(header::AUTHORIZATION, value);
        }
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{path} {header:?}"
        );
        let challenge = answer.header("www-authenticate");
        assert_eq!(
            challenge.starts_with("Bearer"),
            status == 401,
            "{path} {challenge}"
        );
        let given = header
            .and_then(|h| h.rsplit_once('_'))
            .map_or("-", |(_, secret)| secret);
        assert!(
            given == "-" || !answer.text().contains(given),
            "the answer repeats the token"
        );
    };
    let good = format!("Bearer {}", fixture.token);
    check("/api/v1/info", Some(&good), 200, "").await;
    check("/api/v1/info", None, 401, "no_token").await;
    check("/api/v1/nowhere", None, 401, "no_token").await;
    check("/api/v1/openapi.json", None, 401, "no_token").await;
    check("/api/v1/jobs/x/events", None, 401, "no_token").await;
    check("/api/v1/info", Some("Bearer nonsense"), 401, "bad_token").await;
    check(
        "/api/v1/info",
        Some(&format!("Bearer {forged}")),
        401,
        "bad_token",
    )
    .await;
    check(
        "/api/v1/info",
        Some(&format!("Bearer {revoked}")),
        401,
        "bad_token",
    )
    .await;
    check(
        "/api/v1/info",
        Some(&format!("Bearer {join}")),
        401,
        "bad_token",
    )
    .await;
    check("/healthz", None, 200, "").await;
    check("/readyz", None, 200, "").await;
    check("/metrics", None, 200, "").await;
    check("/nowhere", None, 404, "not_found").await;
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let fixture = Fixture::new().await;
    let (text, record) = auth::new_client_token("old", None).unwrap();
    let record = wasmhost_core::record::TokenRecord {
        expires: Some(Timestamp(1)),
        ..record
    };
    fixture
        .app
        .handle
        .write(vec![Write::Token(record)])
        .await
        .unwrap();
    let request =
        Request::get("/api/v1/info").header(header::AUTHORIZATION, format!("Bearer {text}"));
    let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "token_expired")
    );
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let fixture = Fixture::new().await;
    fixture
        .ended_job(
            "0jx5000000",
            plan("a", Array::Single),
            vec![Some(success(b"x"))],
        )
        .await;
    for path in [
        "/api/v1/info",
        "/api/v1/nowhere",
        "/healthz",
        "/metrics",
        "/api/v1/jobs/0jx5/result",
        "/",
    ] {
        let answer = fixture.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "()"),
            ("cache-control", "no-store"),
            ("server", ""),
            ("strict-transport-security", ""),
        ] {
            assert_eq!(answer.header(name), value, "{path}: {name}");
        }
        assert_eq!(answer.header("x-request-id").len(), 16, "{path}");
    }
}

#[tokio::test]
async fn request_ids_come_back_if_they_are_harmless() {
    let fixture = Fixture::new().await;
    for (given, same) in [
        ("my-id.7", true),
        ("a b", false),
        ("\"", false),
        (&*"x".repeat(65), false),
    ] {
        let request = fixture
            .request(Method::GET, "/healthz")
            .header("x-request-id", given);
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.header("x-request-id") == given, same, "{given}");
    }
}

#[tokio::test]
async fn requests_that_make_no_sense() {
    let fixture = Fixture::new().await;
    fixture
        .ended_job(
            "0jx5000000",
            plan("a", range(3)),
            vec![Some(success(b"x")), None, None],
        )
        .await;
    let check =
        async |method: &str, path: &str, kind: &str, body: String, status: u16, code: &str| {
            let mut request = fixture.request(method.parse().unwrap(), path);
            if !kind.is_empty() {
                request = request.header("content-type", kind);
            }
            let shown: String = body.chars().take(60).collect();
            let answer = fixture.send(request.body(Body::from(body)).unwrap()).await;
            let got = (answer.status.as_u16(), answer.code());
            assert_eq!(
                got,
                (status, code.to_owned()),
                "{method} {path} {kind} {shown}: {}",
                answer.text()
            );
            assert_eq!(answer.json()["type"], format!("urn:wasmhost:{code}"));
        };
    let json = "application/json";
    let s = String::from;
    // Bodies.
    check(
        "POST",
        "/api/v1/jobs",
        "",
        s("{}"),
        415,
        "unsupported_media_type",
    )
    .await;
    check(
        "POST",
        "/api/v1/jobs",
        "text/plain",
        s("{}"),
        415,
        "unsupported_media_type",
    )
    .await;
    check("POST", "/api/v1/jobs", json, s(""), 400, "bad_json").await;
    check("POST", "/api/v1/jobs", json, s("{"), 400, "bad_json").await;
    check("POST", "/api/v1/jobs", json, s("[]"), 400, "bad_body").await;
    check(
        "POST",
        "/api/v1/jobs",
        json,
        s(r#"{"definition":"","more":1}"#),
        400,
        "bad_body",
    )
    .await;
    check(
        "POST",
        "/api/v1/jobs",
        json,
        s(r#"{"definition":7}"#),
        400,
        "bad_body",
    )
    .await;
    check(
        "POST",
        "/api/v1/jobs",
        "application/json; charset=utf-8",
        s(r#"{"definition":""}"#),
        422,
        "definition_rejected",
    )
    .await;
    check(
        "POST",
        "/api/v1/jobs/check",
        json,
        s(r#"{"definition":"]["}"#),
        422,
        "definition_rejected",
    )
    .await;
    check(
        "POST",
        "/api/v1/tokens",
        json,
        format!("{{\"name\":\"{}\"}}", "x".repeat(70_000)),
        413,
        "too_large",
    )
    .await;
    check(
        "POST",
        "/api/v1/tokens",
        json,
        s(r#"{"kind":"admin"}"#),
        400,
        "bad_body",
    )
    .await;
    check(
        "POST",
        "/api/v1/tokens",
        json,
        s(r#"{"kind":"join","ttl_ms":0}"#),
        422,
        "bad_ttl",
    )
    .await;
    check(
        "POST",
        "/api/v1/tokens",
        json,
        s(r#"{"kind":"join","ttl_ms":86400001}"#),
        422,
        "bad_ttl",
    )
    .await;
    check(
        "POST",
        "/api/v1/tokens",
        json,
        s(r#"{"kind":"client","name":"\u0007"}"#),
        422,
        "bad_name",
    )
    .await;
    check(
        "POST",
        "/api/v1/jobs/0jx5/cancel",
        json,
        s(r#"{"grace":1}"#),
        400,
        "bad_body",
    )
    .await;
    check(
        "POST",
        "/api/v1/jobs/0jx5/cancel",
        "",
        s("hello"),
        400,
        "bad_body",
    )
    .await;
    // Ids.
    check("GET", "/api/v1/jobs/i", "", s(""), 404, "not_found").await;
    check("GET", "/api/v1/jobs/0jx4", "", s(""), 404, "not_found").await;
    check("GET", "/api/v1/jobs/%ff", "", s(""), 400, "bad_path").await;
    check(
        "GET",
        "/api/v1/jobs/0jx5/tasks/none/0",
        "",
        s(""),
        404,
        "not_found",
    )
    .await;
    check(
        "GET",
        "/api/v1/jobs/0jx5/tasks/task/3",
        "",
        s(""),
        404,
        "not_found",
    )
    .await;
    check(
        "GET",
        "/api/v1/jobs/0jx5/tasks/task/-1",
        "",
        s(""),
        404,
        "not_found",
    )
    .await;
    check(
        "GET",
        "/api/v1/jobs/0jx5/tasks/1/0",
        "",
        s(""),
        404,
        "not_found",
    )
    .await;
    check(
        "POST",
        "/api/v1/workers/nobody/drain",
        json,
        s(r#"{"on":true}"#),
        404,
        "not_found",
    )
    .await;
    check(
        "GET",
        "/api/v1/modules/nothing",
        "",
        s(""),
        404,
        "not_found",
    )
    .await;
    check("DELETE", "/api/v1/tokens/000", "", s(""), 404, "not_found").await;
    // Queries.
    check("GET", "/api/v1/jobs?limit=x", "", s(""), 400, "bad_query").await;
    check(
        "GET",
        "/api/v1/jobs?stat=failed",
        "",
        s(""),
        400,
        "bad_query",
    )
    .await;
    check(
        "GET",
        "/api/v1/jobs?state=dead",
        "",
        s(""),
        400,
        "bad_query",
    )
    .await;
    check("GET", "/api/v1/jobs?cursor=x", "", s(""), 400, "bad_cursor").await;
    check(
        "GET",
        "/api/v1/jobs/0jx5/tasks?cursor=1",
        "",
        s(""),
        400,
        "bad_cursor",
    )
    .await;
    check(
        "GET",
        "/api/v1/jobs/0jx5/tasks?node=none",
        "",
        s(""),
        404,
        "not_found",
    )
    .await;
    check(
        "POST",
        "/api/v1/modules?name=a%20b",
        "",
        s(""),
        400,
        "bad_name",
    )
    .await;
    // Methods and paths.
    check("PUT", "/api/v1/jobs", "", s(""), 405, "method_not_allowed").await;
    check("POST", "/healthz", "", s(""), 405, "method_not_allowed").await;
    check("GET", "/api/v1/job", "", s(""), 404, "not_found").await;
}

#[tokio::test]
async fn metrics_name_what_there_is() {
    let fixture = Fixture::new().await;
    fixture.live_job(plan("a", range(5))).await;
    fixture.get("/api/v1/jobs/latest").await;
    let answer = fixture.get("/metrics").await;
    assert!(
        answer
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    let text = answer.text();
    for line in [
        "wasmhost_build_info{version=\"",
        "wasmhost_task_runs_total{outcome=\"succeeded\"} 0",
        "wasmhost_task_run_duration_seconds_count 0",
        "wasmhost_late_outcomes_total 0",
        "wasmhost_jobs_live 1",
        "wasmhost_tasks{state=\"waiting\"} 5",
        "wasmhost_tasks{state=\"running\"} 0",
        "wasmhost_worker_slots{state=\"free\"} 0",
        "wasmhost_http_watchers 0",
        "http_request_duration_seconds_count{method=\"GET\",route=\"/api/v1/jobs/{job}\",status=\"200\"} 1",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
