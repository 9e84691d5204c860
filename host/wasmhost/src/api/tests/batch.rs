//! Several jobs in one request.

use super::Fixture;
use serde_json::{Value, json};

const BATCH: &str = "/api/v1/jobs/batch";

fn named(name: &str) -> Value {
    json!({"definition": format!("[job]\nname = \"{name}\"\n[task]\nmodule = \"echo\"\n")})
}

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    let module = wat::parse_str("(module (func (export \"_start\")))").unwrap();
    let pushed = fixture.upload("/api/v1/modules?name=echo", module).await;
    assert_eq!(pushed.said(), "201", "{}", pushed.text());
    fixture
}

#[tokio::test]
async fn all_are_made_in_order() {
    let fixture = fixture().await;
    let jobs = json!({"jobs": [named("b"), named("a"), named("a")]});
    let made = fixture.post(BATCH, jobs).await;
    assert_eq!(made.said(), "201", "{}", made.text());
    let ids = made.json()["ids"].as_array().unwrap().clone();
    let mut names = Vec::new();
    for id in &ids {
        let path = format!("/api/v1/jobs/{}", id.as_str().unwrap());
        names.push(fixture.get(&path).await.json()["name"].clone());
    }
    assert_eq!(names, ["b", "a", "a"]);
}

#[tokio::test]
async fn a_key_makes_them_once_while_they_live_and_after() {
    let fixture = fixture().await;
    let batch = |names: &[&str]| {
        let jobs: Vec<Value> = names.iter().map(|name| named(name)).collect();
        json!({"jobs": jobs, "idempotency_key": "k"})
    };
    let first = fixture.post(BATCH, batch(&["a", "b"])).await;
    assert_eq!(first.said(), "201");
    let check = async || {
        let again = fixture.post(BATCH, batch(&["a", "b"])).await;
        assert_eq!((again.said(), again.json()), ("200".into(), first.json()));
        for other in [&["a", "c"][..], &["a", "b", "c"], &["a"], &["c"]] {
            let refused = fixture.post(BATCH, batch(other)).await;
            assert_eq!(refused.said(), "422 key_reused", "{other:?}");
        }
    };
    check().await;
    for id in first.json()["ids"].as_array().unwrap() {
        let cancel = format!("/api/v1/jobs/{}/cancel", id.as_str().unwrap());
        assert_eq!(fixture.post(&cancel, json!({})).await.said(), "200");
    }
    check().await;
}

#[tokio::test]
async fn one_mistake_and_none_is_made() {
    let fixture = fixture().await;
    let check = async |batch: Value, code: &str, text: &str| {
        let answer = fixture.post(BATCH, batch).await;
        assert_eq!(answer.said(), code);
        assert!(answer.text().contains(text), "{}", answer.text());
    };
    let unknown = json!({"definition": "[task]\nmodule = \"nobody\"\n"});
    let keyed = json!({"definition": "[task]\nmodule = \"echo\"\n", "idempotency_key": "own"});
    let batch = |jobs: &[&Value]| json!({ "jobs": jobs });
    let good = named("a");
    check(batch(&[]), "422 bad_batch", "1 to 1000 jobs, not 0").await;
    check(batch(&[&good; 1001]), "422 bad_batch", "not 1001").await;
    check(
        batch(&[&good, &keyed]),
        "422 bad_batch",
        "job 1 of the batch",
    )
    .await;
    check(
        batch(&[&good, &unknown]),
        "422 definition_rejected",
        "job 1: ",
    )
    .await;
    check(
        batch(&[&unknown, &good, &unknown]),
        "422 definition_rejected",
        "job 2: ",
    )
    .await;
    check(json!({}), "400 bad_body", "jobs").await;
    check(json!({"jobs": [], "more": 1}), "400 bad_body", "more").await;
    let long = json!({"jobs": [good], "idempotency_key": "k".repeat(250)});
    check(long, "400 bad_idempotency_key", "1 to 248 bytes").await;
    let odd = json!({"jobs": [good], "idempotency_key": "k\u{1}0"});
    check(odd, "400 bad_idempotency_key", "control characters").await;
    let jobs = fixture.get("/api/v1/jobs").await;
    assert_eq!(jobs.json()["items"], json!([]));
}
