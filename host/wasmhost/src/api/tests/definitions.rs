//! Stored definitions: versions, what they hold fast, jobs of them.

use super::*;
use serde_json::json;
use std::fmt::Write as _;

const DEFINITIONS: &str = "/api/v1/definitions";

/// A command, told apart by the name of a function in it.
fn module(mark: &str) -> Vec<u8> {
    let text = format!("(module (func (export \"_start\")) (func (export \"{mark}\")))");
    wat::parse_str(text).unwrap()
}

async fn push(fixture: &Fixture, name: &str, mark: &str) -> Value {
    let path = format!("/api/v1/modules?name={name}&version=1");
    let pushed = fixture.upload(&path, module(mark)).await;
    assert_eq!(pushed.said(), "201", "{}", pushed.text());
    pushed.json()["digest"].clone()
}

async fn fixture() -> (Fixture, Value) {
    let fixture = Fixture::new().await;
    let digest = push(&fixture, "echo", "a").await;
    (fixture, digest)
}

fn text(input: &str) -> String {
    format!("[job]\nname = \"report\"\n[task]\nmodule = \"echo\"\ninput = \"{input}\"\n")
}

/// Applies a definition with this input; gives the status and the version.
async fn apply(fixture: &Fixture, name: &str, input: &str) -> (String, Value) {
    let job = json!({"definition": text(input)});
    let applied = json!({"name": name, "note": format!("says {input}"), "job": job});
    let answer = fixture.post(DEFINITIONS, applied).await;
    (answer.said(), answer.json()["version"].clone())
}

#[tokio::test]
async fn versions_grow_when_something_differs() {
    let (fixture, _) = fixture().await;
    let check = async |name: &str, input: &str, status: &str, version: u32| {
        let want = (status.to_owned(), json!(version));
        assert_eq!(apply(&fixture, name, input).await, want, "{name} {input}");
    };
    check("b", "1", "201", 1).await;
    check("b", "1", "200", 1).await;
    check("b", "2", "201", 2).await;
    check("a", "2", "201", 1).await;
    check("b", "1", "201", 3).await;

    let names = fixture.list(&format!("{DEFINITIONS}?"), "name").await;
    assert_eq!(names, ["a", "b"]);
    let versions = format!("{DEFINITIONS}/b/versions");
    assert_eq!(fixture.list(&versions, "version").await, [3, 2, 1]);
    let show = async |query: &str| fixture.get(&format!("{DEFINITIONS}/b{query}")).await.json();
    for (query, input, version) in [("", "1", 3), ("?version=2", "2", 2), ("?version=1", "1", 1)] {
        let shown = show(query).await;
        assert_eq!(shown["definition"], text(input), "{query}");
        assert_eq!(shown["version"], version, "{query}");
        assert_eq!(shown["note"], format!("says {input}"), "{query}");
    }
    assert_eq!(show("?version=1").await["digest"], show("").await["digest"]);

    let gone = fixture.delete(&format!("{DEFINITIONS}/b")).await;
    assert_eq!(gone.said(), "204");
    let again = fixture.delete(&format!("{DEFINITIONS}/b")).await;
    assert_eq!(again.said(), "404 not_found");
    // A number is never given twice.
    check("b", "1", "201", 4).await;
}

#[tokio::test]
async fn only_so_many_are_kept() {
    let fixture = Fixture::with(Bounds {
        definitions: 2,
        versions: 3,
    })
    .await;
    push(&fixture, "echo", "a").await;
    let check = async |name: &str, input: u32, status: &str, kept: &[u32]| {
        let (said, _) = apply(&fixture, name, &input.to_string()).await;
        assert_eq!(said, status, "{name} {input}");
        if !kept.is_empty() {
            let versions = format!("{DEFINITIONS}/{name}/versions");
            assert_eq!(fixture.list(&versions, "version").await, kept, "{name}");
        }
    };
    check("a", 1, "201", &[1]).await;
    check("a", 2, "201", &[2, 1]).await;
    check("a", 3, "201", &[3, 2, 1]).await;
    // One more, and the oldest goes.
    check("a", 4, "201", &[4, 3, 2]).await;
    check("a", 5, "201", &[5, 4, 3]).await;
    let gone = fixture.get(&format!("{DEFINITIONS}/a?version=2")).await;
    assert_eq!(gone.said(), "404 not_found");
    // Nothing differs: nothing goes.
    check("a", 5, "200", &[5, 4, 3]).await;
    check("b", 1, "201", &[1]).await;
    check("c", 1, "409 too_many_definitions", &[]).await;
    // Those that there are go on, and one that is removed makes room.
    check("b", 2, "201", &[2, 1]).await;
    let path = format!("{DEFINITIONS}/b");
    let removed = fixture.request(Method::DELETE, &path);
    let removed = fixture.send(removed.body(Body::empty()).unwrap()).await;
    assert_eq!(removed.said(), "204");
    check("c", 1, "201", &[1]).await;
    check("b", 3, "409 too_many_definitions", &[]).await;
}

#[tokio::test]
async fn a_name_is_that_of_its_jobs_unless_given() {
    let (fixture, _) = fixture().await;
    let applied = json!({"job": {"definition": text("1")}});
    let applied = fixture.post(DEFINITIONS, applied).await.json();
    assert_eq!(applied["name"], "report");
    assert_eq!(applied.get("definition"), None, "{applied}");
}

#[tokio::test]
async fn a_version_holds_its_modules_fast() {
    let (fixture, first) = fixture().await;
    apply(&fixture, "r", "1").await;
    let second = push(&fixture, "echo", "b").await;
    assert_ne!(first, second);
    // The name has moved on: what is stored means what it meant, and differs now.
    let submit = async |stored: &str| {
        let answer = fixture
            .post("/api/v1/jobs", json!({"stored": stored}))
            .await;
        assert_eq!(answer.said(), "201", "{}", answer.text());
        answer.json()["nodes"][0]["module"].clone()
    };
    assert_eq!(submit("r").await, first);
    assert_eq!(
        apply(&fixture, "r", "1").await,
        ("201".into(), json!(2)),
        "the module differs"
    );
    assert_eq!(submit("r").await, second);
    assert_eq!(submit("r@1").await, first);
    let shown = fixture.get(&format!("{DEFINITIONS}/r?version=1")).await;
    assert_eq!(shown.json()["modules"], json!({"echo": first}));

    for job in fixture.list("/api/v1/jobs?", "id").await {
        let cancel = format!("/api/v1/jobs/{}/cancel", job.as_str().unwrap());
        fixture.post(&cancel, json!({})).await;
    }
    let module = format!("/api/v1/modules/{}", first.as_str().unwrap());
    let refused = fixture.delete(&module).await;
    assert_eq!(refused.said(), "409 module_in_use");
    assert!(
        refused
            .text()
            .contains("version 1 of the stored definition 'r'")
    );
    fixture.delete(&format!("{DEFINITIONS}/r")).await;
    assert_eq!(fixture.delete(&module).await.said(), "204");
}

#[tokio::test]
async fn files_and_lists_come_from_the_version() {
    let (fixture, _) = fixture().await;
    let blob = fixture.upload("/api/v1/blobs", "content").await.json();
    let text = "[task]\nmodule = \"echo\"\narray = { files = [\"*.txt\"] }\n";
    let job = |lists: Value| json!({"definition": text, "files": {"a.txt": blob}, "lists": {"files:[\"*.txt\"]": lists}});
    let applied = json!({"name": "f", "job": job(json!(["a.txt"]))});
    assert_eq!(
        fixture.post(DEFINITIONS, applied.clone()).await.said(),
        "201"
    );
    assert_eq!(fixture.post(DEFINITIONS, applied).await.said(), "200");
    let made = fixture.post("/api/v1/jobs", json!({"stored": "f"})).await;
    assert_eq!(made.json()["counts"]["total"], 1, "{}", made.text());
    let shown = fixture.get(&format!("{DEFINITIONS}/f")).await.json();
    assert_eq!(shown["files"]["a.txt"], blob);
    // A blob that was never uploaded, whether the plan uses it or not.
    let mut other = job(json!(["a.txt"]));
    other["files"]["b.txt"] = json!({"digest": format!("sha256:{}", "0".repeat(64)), "len": 3});
    let refused = json!({"name": "f", "job": other});
    let refused = fixture.post(DEFINITIONS, refused).await;
    assert_eq!(refused.said(), "422 blob_missing");
}

#[tokio::test]
async fn jobs_say_what_they_were_made_from() {
    let (fixture, _) = fixture().await;
    apply(&fixture, "r", "1").await;
    apply(&fixture, "r", "2").await;
    let batch = json!({"jobs": [{"stored": "r@1"}, {"stored": "r"}, {"definition": text("3")}]});
    let made = fixture.post("/api/v1/jobs/batch", batch).await;
    assert_eq!(made.said(), "201", "{}", made.text());
    let ids = made.json()["ids"].as_array().unwrap().clone();
    let gone = fixture.delete(&format!("{DEFINITIONS}/r")).await;
    assert_eq!(gone.said(), "204");
    let of = |version: u32| json!({"name": "r", "version": version});
    for (id, want) in ids.iter().zip([of(1), of(2), Value::Null]) {
        let path = format!("/api/v1/jobs/{}", id.as_str().unwrap());
        assert_eq!(fixture.get(&path).await.json()["definition"], want);
        fixture.post(&format!("{path}/cancel"), json!({})).await;
        assert_eq!(fixture.get(&path).await.json()["definition"], want);
    }
}

/// A key names the request that was made with it, not what a name stands for by now.
#[tokio::test]
async fn a_repetition_gets_the_job_of_the_version_that_was() {
    let (fixture, _) = fixture().await;
    let jobs = "/api/v1/jobs";
    let job = |stored: &str, key: &str| json!({"stored": stored, "idempotency_key": key});
    apply(&fixture, "r", "1").await;
    apply(&fixture, "other", "1").await;
    let first = fixture.post(jobs, job("r", "k")).await.json()["id"].clone();
    let batch = json!({"jobs": [{"stored": "r"}, {"stored": "other"}], "idempotency_key": "b"});
    let both = fixture.post("/api/v1/jobs/batch", batch.clone()).await;
    assert_eq!(both.said(), "201", "{}", both.text());
    apply(&fixture, "r", "2").await;
    let check = async |request: Value, said: &str| {
        let answer = fixture.post(jobs, request.clone()).await;
        assert_eq!(answer.said(), said, "{request}: {}", answer.text());
        answer.json()
    };
    for ended in [false, true] {
        assert_eq!(check(job("r", "k"), "200").await["id"], first, "{ended}");
        assert_eq!(check(job("r@1", "k"), "200").await["id"], first, "{ended}");
        check(job("r@2", "k"), "422 key_reused").await;
        check(job("other", "k"), "422 key_reused").await;
        let again = fixture.post("/api/v1/jobs/batch", batch.clone()).await;
        assert_eq!((again.said(), again.json()), ("200".into(), both.json()));
        fixture
            .post(
                &format!("{jobs}/{}/cancel", first.as_str().unwrap()),
                json!({}),
            )
            .await;
    }
    let second = check(job("r", "l"), "201").await;
    assert_eq!(second["definition"], json!({"name": "r", "version": 2}));
}

/// Whoever sends a script need not have read it.
#[tokio::test]
async fn uploaded_scripts_are_read() {
    let (fixture, _) = fixture().await;
    push(&fixture, "engine-js", "js").await;
    let job = async |script: &str| {
        let blob = fixture
            .upload("/api/v1/blobs", script.to_owned())
            .await
            .json();
        json!({"definition": "[task]\nscript = \"a.js\"\n", "files": {"script:a.js": blob}})
    };
    let check = async |script: &str, want: Option<(&str, u64)>| {
        let job = job(script).await;
        let requests = [
            ("/api/v1/jobs", job.clone()),
            ("/api/v1/jobs/check", job.clone()),
            ("/api/v1/jobs/batch", json!({ "jobs": [job.clone()] })),
            (DEFINITIONS, json!({"name": "scripted", "job": job})),
        ];
        for (path, request) in requests {
            let answer = fixture.post(path, request).await;
            let Some((code, line)) = want else {
                assert!(answer.status.is_success(), "{path}: {}", answer.text());
                continue;
            };
            assert_eq!(answer.said(), "422 definition_rejected", "{path}");
            let error = answer.json()["errors"][0].clone();
            assert_eq!(
                (&error["code"], &error["file"]),
                (&json!(code), &json!("a.js"))
            );
            assert_eq!(error["span"]["line"], line, "{path}: {error}");
        }
    };
    check(
        "let a = 1;\nexport default () => a +;\n",
        Some(("script-syntax", 2)),
    )
    .await;
    check("import a from 'b';\n", Some(("script-import", 1))).await;
    check("export default (x) => x;\n", None).await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let (fixture, _) = fixture().await;
    apply(&fixture, "r", "1").await;
    let good = json!({"definition": text("1")});
    let check = async |path: &str, body: Value, said: &str, says: &str| {
        let answer = fixture.post(path, body.clone()).await;
        assert_eq!(answer.said(), said, "{body}");
        assert!(answer.text().contains(says), "{says}: {}", answer.text());
    };
    let long = "a".repeat(65);
    for name in ["", "a b", "a@1", "-a", ".a", "a.toml", "ä", "a/b", &long] {
        let named = json!({"name": name, "job": good});
        check(DEFINITIONS, named, "422 bad_name", "letters, digits").await;
    }
    let noted = json!({"note": "n".repeat(1025), "job": good});
    check(DEFINITIONS, noted, "422 bad_note", "up to 1024").await;
    check(DEFINITIONS, json!({"name": "a"}), "400 bad_body", "job").await;
    let more = json!({"job": good, "more": 1});
    check(DEFINITIONS, more, "400 bad_body", "more").await;
    let stored = json!({"job": {"stored": "r"}});
    check(DEFINITIONS, stored, "422 bad_submission", "of its own").await;
    let keyed = json!({"job": {"definition": text("1"), "idempotency_key": "k"}});
    check(DEFINITIONS, keyed, "422 bad_submission", "of its own").await;
    let wrong = json!({"job": {"definition": "[task]\nmodule = \"nobody\"\n"}});
    check(DEFINITIONS, wrong, "422 definition_rejected", "nobody").await;
    let long = json!({"name": "a".repeat(60), "job": {"definition": ""}});
    check(DEFINITIONS, long, "422 definition_rejected", "task").await;

    for path in ["/api/v1/jobs", "/api/v1/jobs/check"] {
        let stored = async |text: &str, said: &str, says: &str| {
            check(path, json!({ "stored": text }), said, says).await;
        };
        stored("nobody", "404 not_found", "definition list").await;
        stored("r@2", "404 not_found", "Versions 1 to 1").await;
        stored("r@0", "422 bad_submission", "name@version").await;
        stored("", "422 bad_submission", "name@version").await;
        for own in [
            json!({"definition": "x"}),
            json!({"modules": {"path:a": format!("sha256:{}", "0".repeat(64))}}),
            json!({"lists": {"lines:a": []}}),
            json!({"files": {"a": {"digest": format!("sha256:{}", "0".repeat(64)), "len": 1}}}),
        ] {
            let mut own = own;
            own["stored"] = json!("r");
            check(path, own, "422 bad_submission", "one of its own").await;
        }
    }
    let mut seen = String::new();
    for path in ["none", "none/versions", "r?version=2", "r?version=0"] {
        let answer = fixture.get(&format!("{DEFINITIONS}/{path}")).await;
        writeln!(seen, "{path} {}", answer.said()).unwrap();
    }
    assert_eq!(seen.matches("404 not_found").count(), 4, "{seen}");
    let bad = fixture.get(&format!("{DEFINITIONS}/r?version=x")).await;
    assert_eq!(bad.said(), "400 bad_query");
}

#[tokio::test]
async fn a_stored_definition_can_be_checked() {
    let (fixture, digest) = fixture().await;
    apply(&fixture, "r", "1").await;
    let checked = fixture
        .post("/api/v1/jobs/check", json!({"stored": "r"}))
        .await;
    assert_eq!(checked.json()["nodes"][0]["module"], digest);
}

#[tokio::test]
async fn a_batch_takes_no_more_from_stored_definitions_than_could_be_sent() {
    let (fixture, _) = fixture().await;
    let long = format!("{}#{}\n", text("1"), "x".repeat(3 << 20));
    let applied = json!({"name": "long", "job": {"definition": long}});
    assert_eq!(fixture.post(DEFINITIONS, applied).await.said(), "201");
    for (count, said) in [(2, "201"), (40, "413 too_large")] {
        let batch = json!({"jobs": vec![json!({"stored": "long"}); count]});
        let answer = fixture.post("/api/v1/jobs/batch", batch).await;
        assert_eq!(answer.said(), said, "{count}");
    }
}

const ASKING: &str = r#"
[params.who]
type = "text"
help = "Whom to greet"
[params.top]
type = "integer"
default = 3
max = 9
[params.data]
type = "file"
required = false
[task]
module = "echo"
input = { who = "${params.who}", top = "${params.top}" }
"#;

/// A fixture that holds [`ASKING`] as `ask`.
async fn asking() -> Fixture {
    let (fixture, _) = fixture().await;
    let applied = json!({"name": "ask", "job": {"definition": ASKING}});
    let applied = fixture.post(DEFINITIONS, applied).await;
    assert_eq!(applied.said(), "201", "{}", applied.text());
    fixture
}

#[tokio::test]
async fn jobs_are_given_parameters() {
    let fixture = asking().await;
    let check = async |params: Value, want: Value| {
        let job = json!({"stored": "ask", "params": params});
        let made = fixture.post("/api/v1/jobs", job).await;
        assert_eq!(made.said(), "201", "{}", made.text());
        assert_eq!(made.json()["params"], want, "{params}");
    };
    let none = Value::Null;
    check(
        json!({"who": "Ada"}),
        json!({"who": "Ada", "top": 3, "data": none}),
    )
    .await;
    check(
        json!({"who": "Ada", "top": "7"}),
        json!({"who": "Ada", "top": 7, "data": none}),
    )
    .await;
    let blob = fixture.upload("/api/v1/blobs", "content").await.json();
    let filed = json!({"stored": "ask", "params": {"who": "x", "data": "a.csv"}, "files": {"param:data": blob}});
    let filed = fixture.post("/api/v1/jobs", filed).await;
    assert_eq!(filed.json()["params"]["data"], "a.csv", "{}", filed.text());
    let job = |who: &str| json!({"stored": "ask@1", "params": {"who": who}});
    let batch = json!({"jobs": [job("a"), job("b"), job("b")]});
    let made = fixture.post("/api/v1/jobs/batch", batch).await;
    assert_eq!(made.said(), "201", "{}", made.text());
    // Lists do without.
    let listed = fixture.get("/api/v1/jobs").await.json();
    assert_eq!(listed["items"][0].get("params"), None);
}

#[tokio::test]
async fn mistakes_in_parameters_are_told_together() {
    let fixture = asking().await;
    let check = async |params: Value, codes: &[&str]| {
        let job = json!({"stored": "ask", "params": params});
        let refused = fixture.post("/api/v1/jobs", job).await;
        assert_eq!(refused.said(), "422 definition_rejected", "{params}");
        let errors = refused.json()["errors"].as_array().unwrap().clone();
        let got: Vec<&str> = errors.iter().map(|e| e["code"].as_str().unwrap()).collect();
        assert_eq!(got, codes, "{}", refused.text());
    };
    check(json!({}), &["missing-param"]).await;
    check(json!({"who": "x", "top": 10}), &["bad-param"]).await;
    check(json!({"who": "x", "top": "many"}), &["bad-param"]).await;
    let all = ["unknown-param", "missing-param", "bad-param"];
    check(json!({"woh": "x", "top": 10}), &all).await;
}

#[tokio::test]
async fn parameters_have_a_schema() {
    let fixture = asking().await;
    let answer = fixture.get(&format!("{DEFINITIONS}/ask/schema")).await;
    assert_eq!(answer.header("content-type"), "application/schema+json");
    let schema = answer.json();
    assert_eq!(schema["required"], json!(["who"]));
    assert_eq!(schema["properties"]["top"]["maximum"], 9);
    assert_eq!(schema["properties"]["who"]["description"], "Whom to greet");
    for (path, want) in [
        ("ask/schema?version=1", "200"),
        ("ask/schema?version=2", "404 not_found"),
        ("none/schema", "404 not_found"),
    ] {
        let answer = fixture.get(&format!("{DEFINITIONS}/{path}")).await;
        assert_eq!(answer.said(), want, "{path}");
    }
}
