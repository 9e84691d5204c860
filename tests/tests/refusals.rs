//! What is not welcome is refused with a clear message, and the primary goes on.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::time::Duration;
use wasmhost_tests::http::{exchange, request};
use wasmhost_tests::{Cluster, Options, task, wait_until};

#[test]
fn modules_are_refused_with_the_reason() {
    let cluster = Cluster::start(Options {
        workers: 0,
        ..Options::default()
    });
    let good = fs::read(task("echo")).unwrap();
    let unknown = wat::parse_str(
        r#"(module (import "env" "system" (func (param i32))) (memory (export "memory") 1) (func (export "_start")))"#,
    )
    .unwrap();
    let wrong = wat::parse_str(r#"(module (func (export "_start") (param i32)))"#).unwrap();
    let memory64 = wat::parse_str(r#"(module (memory i64 1) (func (export "_start")))"#).unwrap();
    let types = wat::parse_str(format!(
        "(module {})",
        "(type (func (param i32)))".repeat(30_000)
    ))
    .unwrap();
    let cases: &[(&str, &[u8], &str)] = &[
        ("empty", b"", "empty"),
        (
            "elf",
            b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0",
            "not a webassembly",
        ),
        ("text", b"(module)", "text"),
        ("truncated", &good[..good.len() / 2], "end"),
        ("unknown-import", &unknown, "env"),
        ("wrong-start", &wrong, "_start"),
        ("memory64", &memory64, "memory64"),
        ("types", &types, "types"),
    ];
    for (name, bytes, want) in cases {
        let file = cluster.dir().join(format!("{name}.wasm"));
        fs::write(&file, bytes).unwrap();
        let run = cluster.run(&["module", "push", &file.to_string_lossy()]);
        assert_ne!(run.code, 0, "{name} was accepted");
        assert!(
            run.stderr.to_lowercase().contains(want),
            "{name}: '{want}' is not in: {}",
            run.stderr
        );
    }
    let modules = cluster.json(&["module", "list"]);
    assert_eq!(modules["items"].as_array().unwrap().len(), 0, "{modules}");
}

#[test]
fn clients_without_a_token_are_refused() {
    let cluster = Cluster::start(Options {
        workers: 0,
        ..Options::default()
    });
    for token in [
        None,
        Some("wrong"),
        Some("wht_0000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        let answer = request(cluster.port(), "GET", "/api/v1/jobs", token, b"");
        assert_eq!(answer.status, 401, "{token:?}");
        assert!(
            answer.json()["title"].as_str().unwrap().contains("token"),
            "{}",
            answer.json()
        );
    }
    for open in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(
            request(cluster.port(), "GET", open, None, b"").status,
            200,
            "{open}"
        );
    }
    let mut command = cluster.command(&["jobs"]);
    command.env(
        "WASMHOST_TOKEN",
        "wht_0000000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    );
    let output = command.output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(4),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let log = cluster.primary.as_ref().unwrap().log();
    assert!(log.contains("refused"), "the refusal is logged:\n{log}");
}

/// Runs a worker that must give up, and what it says.
fn hopeless_worker(cluster: &Cluster, name: &str, address: &str, token: Option<&str>) -> String {
    let mut command = cluster.command(&["run-worker", "--primary", address, "--name", name]);
    command.env("WASMHOST_DATA_DIR", cluster.dir().join(name));
    if let Some(token) = token {
        command.env("WASMHOST_JOIN_TOKEN", token);
    }
    let output = command.output().unwrap();
    assert_ne!(output.status.code(), Some(0), "{name} was accepted");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn workers_without_the_right_token_are_refused() {
    let cluster = Cluster::start(Options {
        workers: 1,
        ..Options::default()
    });
    let other = Cluster::start(Options {
        workers: 0,
        ..Options::default()
    });
    let token = cluster.json(&["token", "create", "--worker"])["secret"]
        .as_str()
        .unwrap()
        .to_owned();
    let foreign = other.json(&["token", "create", "--worker"])["secret"]
        .as_str()
        .unwrap()
        .to_owned();

    let (head, secret) = token.split_at(token.len() - 4);
    let swapped: String = secret
        .chars()
        .map(|c| if c == 'A' { 'B' } else { 'A' })
        .collect();
    let forged = format!("{head}{swapped}");
    let address = cluster.worker_address();
    for (name, token, want) in [
        ("no-token", None, "token"),
        ("garbage", Some("whj1_nonsense"), "token"),
        ("forged", Some(forged.as_str()), "token"),
        (
            "foreign",
            Some(foreign.as_str()),
            "is not the one that the join token was made for",
        ),
    ] {
        let said = hopeless_worker(&cluster, name, &address, token);
        assert!(said.contains(want), "{name}: '{want}' is not in: {said}");
    }
    // The real token holds once.
    let mut cluster = cluster;
    cluster.workers.push(None);
    cluster.start_worker(1, Some(&token));
    cluster.wait_for_workers(2);
    let said = hopeless_worker(&cluster, "again", &address, Some(&token));
    assert!(said.contains("used"), "{said}");
    let log = cluster.primary.as_ref().unwrap().log();
    assert!(log.contains("refused"), "refusals are logged:\n{log}");
}

#[test]
fn another_clusters_worker_is_refused() {
    let mut here = Cluster::start(Options {
        workers: 1,
        ..Options::default()
    });
    let there = Cluster::start(Options {
        workers: 1,
        ..Options::default()
    });
    // A worker that joined over there, with its identity, comes here.
    here.kill_worker(0);
    let mut stranger = here.command(&[
        "run-worker",
        "--primary",
        &here.worker_address(),
        "--name",
        "stranger",
    ]);
    let identity = here.dir().join("stranger");
    copy_folder(&there.dir().join("worker0"), &identity);
    drop(there);
    stranger.env("WASMHOST_DATA_DIR", &identity);
    let stranger = wasmhost_tests::Process::start("stranger", here.dir(), &mut stranger);
    wait_until(
        "the stranger to say why it is refused",
        Duration::from_secs(60),
        || stranger.log().contains("cluster").then_some(()),
        || stranger.tail() + &here.explain(),
    );
    here.wait_for_workers(0);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_folder(&entry.path(), &target),
            kind if kind.is_file() => drop(fs::copy(entry.path(), target).unwrap()),
            _ => {}
        }
    }
}

#[test]
fn malformed_http_harms_nobody() {
    let cluster = Cluster::start(Options {
        workers: 0,
        ..Options::default()
    });
    let token = cluster.token();
    let auth = format!("authorization: Bearer {token}\r\n");
    let deep = format!(
        "{{\"definition\":{}{}}}",
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    for (body, want) in [
        ("", 400..500),
        ("{", 400..500),
        ("[]", 400..500),
        (r#"{"definition": 1}"#, 400..500),
        (r#"{"definition": "", "nope": 1}"#, 400..500),
        (r#"{"definition": "[task"}"#, 400..500),
        (deep.as_str(), 400..500),
    ] {
        let answer = request(
            cluster.port(),
            "POST",
            "/api/v1/jobs",
            Some(&token),
            body.as_bytes(),
        );
        assert!(
            want.contains(&answer.status),
            "{body:.60}: {}",
            answer.status
        );
        assert!(
            answer.json()["title"].is_string(),
            "{body:.60}: a problem says what is wrong"
        );
    }
    for raw in [
        "\0\0\0\0".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        format!(
            "POST /api/v1/jobs HTTP/1.1\r\nhost: x\r\n{auth}content-length: 999999999999\r\n\r\n"
        ),
        format!("GET /api/v1/jobs/../../etc/passwd HTTP/1.0\r\n{auth}\r\n"),
        format!(
            "GET /api/v1/jobs/{} HTTP/1.0\r\n{auth}\r\n",
            "z".repeat(5_000)
        ),
        format!("GET /api/v1/jobs?limit=-1 HTTP/1.0\r\n{auth}\r\n"),
        format!(
            "GET /api/v1/jobs HTTP/1.0\r\n{auth}x: {}\r\n\r\n",
            "y".repeat(1 << 20)
        ),
    ] {
        let answer = exchange(cluster.port(), raw.as_bytes());
        assert!(
            answer.status == 0 || (400..500).contains(&answer.status),
            "{raw:.60}: {}",
            answer.status
        );
    }
    assert_eq!(cluster.get("/info").status, 200);
}
