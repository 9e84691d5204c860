//! Modules, blobs, submissions, tokens.

use super::*;
use serde_json::json;

/// A command of preview 1 that ends at once; `salt` makes another of it.
fn command(salt: u8) -> Vec<u8> {
    let text = format!(
        r#"(module (memory (export "memory") 1) (data "{salt}") (func (export "_start")))"#
    );
    wat::parse_str(text).unwrap()
}

fn definition(module: &str) -> String {
    format!("[job]\nname = \"hello\"\n\n[task]\nmodule = \"{module}\"\n")
}

#[tokio::test]
async fn modules_are_pushed_named_and_removed() {
    let fixture = Fixture::new().await;
    let pushed = fixture
        .upload("/api/v1/modules?name=hello&version=1.0", command(1))
        .await;
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    let first = pushed.json();
    let digest = first["digest"].as_str().unwrap().to_owned();
    assert_eq!(first["names"], json!(["hello:1.0"]));
    assert_eq!(first["kind"], "core_command");

    // The same content again only adds the name.
    let again = fixture
        .upload("/api/v1/modules?name=other&version=2", command(1))
        .await
        .json();
    assert_eq!(again["names"], json!(["hello:1.0", "other:2"]));
    assert_eq!(again["pushed"], first["pushed"]);
    // Other content under a name takes it over.
    let moved = fixture
        .upload("/api/v1/modules?name=hello&version=1.0", command(2))
        .await
        .json();
    assert_ne!(moved["digest"], first["digest"]);

    let check = async |reference: &str, want: &Value| {
        let got = fixture
            .get(&format!("/api/v1/modules/{reference}"))
            .await
            .json();
        assert_eq!(&got["digest"], want, "{reference}: {got}");
    };
    check("hello", &moved["digest"]).await;
    check("hello:1.0", &moved["digest"]).await;
    check("other:2", &first["digest"]).await;
    check(&digest, &first["digest"]).await;
    check(&digest["sha256:".len()..][..12], &first["digest"]).await;
    let list = fixture.get("/api/v1/modules").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2);

    // In use by a live job: stays. After it: goes.
    let job = fixture
        .post("/api/v1/jobs", json!({"definition": definition("other:2")}))
        .await;
    assert_eq!(job.status, 201, "{}", job.text());
    let refused = fixture.delete("/api/v1/modules/other").await;
    assert_eq!(refused.said(), "409 module_in_use");
    let cancelled = fixture
        .post("/api/v1/jobs/latest/cancel", json!({}))
        .await
        .json();
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    assert_eq!(fixture.delete("/api/v1/modules/other").await.status, 204);
    assert_eq!(fixture.get("/api/v1/modules/other").await.status, 404);
    let retried = fixture.post("/api/v1/jobs/latest/retry", json!({})).await;
    assert_eq!(retried.said(), "409 module_missing");
}

#[tokio::test]
async fn what_is_no_module_is_refused_with_the_reason() {
    let fixture = Fixture::new().await;
    let check = async |what: &str, bytes: Vec<u8>| {
        let answer = fixture.upload("/api/v1/modules?name=bad", bytes).await;
        assert_eq!(
            answer.said(),
            "422 module_rejected",
            "{what}: {}",
            answer.text()
        );
        let errors = answer.json()["errors"].clone();
        let first = errors[0]["message"].as_str().unwrap_or_default();
        assert!(!first.is_empty(), "{what}: {errors}");
    };
    check("nothing", Vec::new()).await;
    check("text", b"hello".to_vec()).await;
    check("cut off", command(1)[..20].to_vec()).await;
    let import = r#"(module (import "env" "gone" (func)) (func (export "_start")))"#;
    check("unknown import", wat::parse_str(import).unwrap()).await;
    check("nothing to run", wat::parse_str("(module)").unwrap()).await;
    assert_eq!(
        fixture.get("/api/v1/modules").await.json()["items"],
        json!([])
    );
}

#[tokio::test]
async fn uploads_are_bounded_and_named_by_their_content() {
    let fixture = Fixture::new().await;
    let blob = fixture.upload("/api/v1/blobs", "hello").await;
    assert_eq!(blob.status, 201);
    let hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(blob.json(), json!({"digest": hello, "len": 5}));
    // Larger than one write to the disk.
    let large = vec![7u8; 600 << 10];
    assert_eq!(
        fixture.upload("/api/v1/blobs", large).await.json()["len"],
        600 << 10
    );
    let check = async |path: &str, len: u64| {
        let request = fixture
            .request(Method::POST, path)
            .header("content-length", len);
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.said(), "413 too_large", "{path}");
    };
    check("/api/v1/blobs", wasmhost_proto::limits::MAX_BLOB + 1).await;
    check("/api/v1/modules", wasmhost_proto::limits::MAX_MODULE + 1).await;
    let broken = futures_util::stream::iter([Ok("some"), Err(std::io::Error::other("gone"))]);
    let answer = fixture
        .upload("/api/v1/blobs", Body::from_stream(broken))
        .await;
    assert_eq!(answer.said(), "400 bad_body");
}

#[tokio::test]
async fn a_body_over_its_bound_stops_the_upload() {
    let fixture = Fixture::new().await;
    let check = async |len: usize, code: &str| {
        let body = Body::from(vec![1; len]);
        let got =
            super::super::blobs::receive(&fixture.app, &HeaderMap::new(), body, "it", 1_000).await;
        assert_eq!(
            got.err().map(|p| p.code().to_owned()).unwrap_or_default(),
            code,
            "{len}"
        );
    };
    check(1_000, "").await;
    check(1_001, "too_large").await;
    check(1 << 20, "too_large").await;
}

#[tokio::test]
async fn a_submission_is_made_once_for_its_key() {
    let fixture = Fixture::new().await;
    fixture
        .upload("/api/v1/modules?name=hello&version=1", command(1))
        .await;
    let submit = async |key: Option<&str>, body: Value| {
        let mut request = fixture.request(Method::POST, "/api/v1/jobs");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.header("content-type", "application/json");
        fixture
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await
    };
    let body = json!({"definition": definition("hello")});
    let first = submit(Some("k1"), body.clone()).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let id = first.json()["id"].clone();
    assert_eq!(
        first.header("location"),
        format!("/api/v1/jobs/{}", id.as_str().unwrap())
    );
    let mut keyed = body.clone();
    keyed["idempotency_key"] = json!("k1");
    for again in [
        submit(Some("k1"), body.clone()).await,
        submit(None, keyed.clone()).await,
    ] {
        assert_eq!((again.status.as_u16(), &again.json()["id"]), (200, &id));
    }
    let other = submit(Some("k2"), keyed).await;
    assert_eq!(other.code(), "bad_idempotency_key");
    let empty = submit(Some(""), body.clone()).await;
    assert_eq!(empty.code(), "bad_idempotency_key");
    let mut changed = body.clone();
    changed["definition"] = json!(definition("hello").replace("hello\"\n\n", "else\"\n\n"));
    let reused = submit(Some("k1"), changed).await;
    assert_eq!(reused.said(), "422 key_reused");
    assert_ne!(submit(None, body).await.json()["id"], id);
}

#[tokio::test]
async fn definitions_are_refused_with_their_mistakes() {
    let fixture = Fixture::new().await;
    fixture
        .upload("/api/v1/modules?name=hello&version=1", command(1))
        .await;
    let wrong = "[job]\nnam = \"x\"\n\n[task]\nmodule = \"none:9\"\n";
    for path in ["/api/v1/jobs", "/api/v1/jobs/check"] {
        let answer = fixture.post(path, json!({"definition": wrong})).await;
        assert_eq!(answer.said(), "422 definition_rejected", "{path}");
        let errors = answer.json()["errors"].clone();
        assert_eq!(errors[0]["span"]["line"], 2, "{path}: {errors}");
    }
    let checked = fixture
        .post(
            "/api/v1/jobs/check",
            json!({"definition": definition("hello")}),
        )
        .await
        .json();
    assert_eq!(
        (&checked["name"], &checked["nodes"][0]["count"]),
        (&json!("hello"), &json!(1)),
        "{checked}"
    );
    // What the client has not built or uploaded yet is no mistake.
    let local = "[task]\nmodule = { crate = \"count\" }\ninput_file = \"words\"\n";
    let checked = fixture
        .post("/api/v1/jobs/check", json!({"definition": local}))
        .await
        .json();
    assert_eq!(
        (&checked["name"], &checked["nodes"][0]["module"]),
        (&json!("count"), &json!(null)),
        "{checked}"
    );
    assert_eq!(fixture.get("/api/v1/jobs").await.json()["items"], json!([]));
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked() {
    let fixture = Fixture::new().await;
    let made = fixture
        .post("/api/v1/tokens", json!({"kind": "client", "name": "ci"}))
        .await;
    assert_eq!(made.status, 201);
    let made = made.json();
    let secret = made["secret"].as_str().unwrap();
    let id = made["token"]["id"].as_str().unwrap().to_owned();
    let join = fixture
        .post("/api/v1/tokens", json!({"kind": "join"}))
        .await
        .json();
    let cluster = fixture.get("/api/v1/info").await.json()["cluster"]
        .as_str()
        .unwrap()
        .to_owned();
    let join_secret = join["secret"].as_str().unwrap();
    assert!(
        join_secret.starts_with(&format!("whj1_{cluster}")),
        "the token is bound to the authority"
    );
    assert!(join["token"]["expires"].is_string());
    let list = fixture.get("/api/v1/tokens").await;
    let hidden = [secret, join_secret]
        .iter()
        .all(|s| !list.text().contains(&s[s.len() - 20..]));
    assert!(hidden, "a list shows no secret");
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 3);

    let bearer = format!("bearer {secret}");
    let with = async || fixture.get_as("/api/v1/info", Some(&bearer)).await.status;
    assert_eq!(with().await, 200);
    assert_eq!(
        fixture.delete(&format!("/api/v1/tokens/{id}")).await.status,
        204
    );
    assert_eq!(with().await, 401);
}
