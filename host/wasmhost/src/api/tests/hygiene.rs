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
        expired_text.splitn(3, '_').nth(2).unwrap()
    );
    fixture.write(Write::Token(expired)).await;
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

    let check = async |path: &str, token: &str, want: &str| {
        let header = (!token.is_empty()).then(|| format!("Bearer {token}"));
        let answer = fixture.get_as(path, header.as_deref()).await;
        assert_eq!(answer.said(), want, "{path} {token}");
        let challenge = answer.header("www-authenticate");
        let challenged = challenge.starts_with("Bearer");
        assert_eq!(challenged, answer.status == 401, "{path} {challenge}");
        // A secret may have underscores of its own.
        let secret = token.splitn(3, '_').nth(2);
        let repeated = secret.is_some_and(|secret| answer.text().contains(secret));
        assert!(!repeated, "the answer repeats the token");
    };
    check("/api/v1/info", &fixture.token, "200").await;
    for path in ["info", "nowhere", "openapi.json", "jobs/x/events"] {
        check(&format!("/api/v1/{path}"), "", "401 no_token").await;
    }
    for token in ["nonsense", &forged, &revoked, &join] {
        check("/api/v1/info", token, "401 bad_token").await;
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        check(path, "", "200").await;
    }
    check("/nowhere", "", "404 not_found").await;
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let fixture = Fixture::new().await;
    let (text, record) = auth::new_client_token("old", None).unwrap();
    let record = wasmhost_core::record::TokenRecord {
        expires: Some(Timestamp(1)),
        ..record
    };
    fixture.write(Write::Token(record)).await;
    let bearer = format!("Bearer {text}");
    let answer = fixture.get_as("/api/v1/info", Some(&bearer)).await;
    assert_eq!(answer.said(), "401 token_expired");
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let fixture = Fixture::new().await;
    fixture.good_job("0jx5000000").await;
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

/// Method and path, type and text of the body (LONG is long), status and code of the answer.
const SENSELESS: &str = r#"
# Bodies.
POST /api/v1/jobs                     |                                 | {}                                | 415 unsupported_media_type
POST /api/v1/jobs                     | text/plain                      | {}                                | 415 unsupported_media_type
POST /api/v1/jobs                     | application/json                |                                   | 400 bad_json
POST /api/v1/jobs                     | application/json                | {                                 | 400 bad_json
POST /api/v1/jobs                     | application/json                | []                                | 422 definition_rejected
POST /api/v1/jobs                     | application/json                | "x"                               | 400 bad_body
POST /api/v1/jobs                     | application/json                | {"stored":"a","more":1}           | 400 bad_body
POST /api/v1/definitions              | application/json                | {"name":"a"}                      | 400 bad_body
POST /api/v1/definitions              | text/plain                      | {}                                | 415 unsupported_media_type
GET /api/v1/definitions/a/schemas     |                                 |                                   | 404 not_found
POST /api/v1/jobs                     | application/json                | {"definition":"","more":1}        | 400 bad_body
POST /api/v1/jobs                     | application/json                | {"definition":7}                  | 400 bad_body
POST /api/v1/jobs                     | application/json; charset=utf-8 | {"definition":""}                 | 422 definition_rejected
POST /api/v1/jobs/check               | application/json                | {"definition":"]["}               | 422 definition_rejected
POST /api/v1/tokens                   | application/json                | {"name":"LONG"}                   | 413 too_large
POST /api/v1/tokens                   | application/json                | {"kind":"admin"}                  | 400 bad_body
POST /api/v1/tokens                   | application/json                | {"kind":"join","ttl_ms":0}        | 422 bad_ttl
POST /api/v1/tokens                   | application/json                | {"kind":"join","ttl_ms":86400001} | 422 bad_ttl
POST /api/v1/tokens                   | application/json                | {"kind":"client","name":"\u0007"} | 422 bad_name
POST /api/v1/jobs/0jx5/cancel         | application/json                | {"grace":1}                       | 400 bad_body
POST /api/v1/jobs/0jx5/cancel         |                                 | hello                             | 400 bad_body
# Ids.
GET /api/v1/jobs/i                    |                                 |                                   | 404 not_found
GET /api/v1/jobs/0jx4                 |                                 |                                   | 404 not_found
GET /api/v1/jobs/%ff                  |                                 |                                   | 400 bad_path
GET /api/v1/jobs/0jx5/tasks/none/0    |                                 |                                   | 404 not_found
GET /api/v1/jobs/0jx5/tasks/task/3    |                                 |                                   | 404 not_found
GET /api/v1/jobs/0jx5/tasks/task/-1   |                                 |                                   | 404 not_found
GET /api/v1/jobs/0jx5/tasks/1/0       |                                 |                                   | 404 not_found
POST /api/v1/workers/nobody/drain     | application/json                | {"on":true}                       | 404 not_found
GET /api/v1/modules/nothing           |                                 |                                   | 404 not_found
DELETE /api/v1/tokens/000             |                                 |                                   | 404 not_found
# Queries.
GET /api/v1/jobs?limit=x              |                                 |                                   | 400 bad_query
GET /api/v1/jobs?stat=failed          |                                 |                                   | 400 bad_query
GET /api/v1/jobs?state=dead           |                                 |                                   | 400 bad_query
GET /api/v1/jobs?cursor=x             |                                 |                                   | 400 bad_cursor
GET /api/v1/jobs/0jx5/tasks?cursor=1  |                                 |                                   | 400 bad_cursor
GET /api/v1/jobs/0jx5/tasks?node=none |                                 |                                   | 404 not_found
POST /api/v1/modules?name=a%20b       |                                 |                                   | 400 bad_name
# Methods and paths.
PUT /api/v1/jobs                      |                                 |                                   | 405 method_not_allowed
POST /healthz                         |                                 |                                   | 405 method_not_allowed
GET /api/v1/job                       |                                 |                                   | 404 not_found
"#;

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
    let rows = SENSELESS.lines().filter(|row| row.contains('|'));
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [what, kind, body, want] = cells[..] else {
            panic!("{row}")
        };
        let (method, path) = what.split_once(' ').unwrap();
        let mut request = fixture.request(method.parse().unwrap(), path);
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        let body = body.replace("LONG", &"x".repeat(70_000));
        let answer = fixture.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.said(), want, "{row}: {}", answer.text());
        let urn = format!("urn:wasmhost:{}", answer.code());
        assert_eq!(answer.json()["type"], urn);
    }
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
