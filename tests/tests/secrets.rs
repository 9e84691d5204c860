//! Secrets: where they go, where they do not, and that they are found nowhere else.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use wasmhost_tests::{Cluster, Options, task};

/// Found where it should not be, this says so.
const CANARY: &str = "canary-7f3a9c51-in-a-coal-mine";
const SHOWN: &str = "shown-5b1e88d0-to-the-task";

/// A server that says nothing of what it heard to whom it answers.
#[derive(Clone)]
struct Ear {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Ear {
    fn open() -> Ear {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ear = Ear {
            port: listener.local_addr().unwrap().port(),
            heads: Arc::default(),
        };
        let heads = ear.heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                hear(stream.unwrap(), &heads);
            }
        });
        ear
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heads.lock().unwrap())
    }
}

fn hear(mut stream: TcpStream, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
}

fn start(ear: &Ear) -> Cluster {
    let port = ear.port;
    Cluster::start(Options {
        settings: format!(
            "[primary.allow]\nnetwork = ['* http://127.0.0.1:{port}']\nsecrets = ['key', 'shown', 'late']\n\
             [worker]\nnetwork = ['* http://127.0.0.1:{port}']\n"
        ),
        ..Options::default()
    })
}

/// Sets a secret as an operator does; what it wrote to standard error when it failed.
fn set(cluster: &Cluster, value: &str, args: &[&str]) -> Result<(), String> {
    let mut command = cluster.command(&[&["secret", "set"], args].concat());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(value.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    output.status.success().then_some(()).ok_or(stderr)
}

fn definition(ear: &Ear, more: &str, calls: &[Value]) -> String {
    let items: Vec<String> = calls
        .iter()
        .map(|call| call.to_string().replace("\":", "\"="))
        .collect();
    format!(
        "[tasks.caller]\nmodule = {{ path = '{}' }}\narray = {{ items = [{}] }}\n\
         network = ['GET,POST http://127.0.0.1:{}']\ntolerate = 'all'\n{more}\n",
        task("fixtures/caller").display(),
        items.join(", "),
        ear.port,
    )
}

fn call(ear: &Ear, method: &str, authorization: &str) -> Value {
    let url = format!("http://127.0.0.1:{}/", ear.port);
    json!({ "method": method, "url": url, "headers": [["authorization", authorization]] })
}

fn came(cluster: &Cluster, definition: &str, count: usize) -> Vec<Value> {
    let job = cluster.submit(definition);
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    (0..count)
        .map(|n| {
            let result = format!("/jobs/{job}/tasks/caller/{n}/result");
            cluster.get(&result).json()
        })
        .collect()
}

/// Files below a folder that hold a text.
fn holding(dir: &Path, text: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, text, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn secrets_go_where_they_may_and_nowhere_else() {
    let ear = Ear::open();
    let mut cluster = start(&ear);
    let get = format!("GET http://127.0.0.1:{}", ear.port);
    set(&cluster, &format!("{CANARY}\n"), &["key", "--to", &get]).unwrap();
    set(&cluster, "other", &["late", "--to", &get]).unwrap();
    let job = definition(
        &ear,
        "secrets = ['key']",
        &[
            call(&ear, "GET", "Bearer ${secrets.key}"),
            call(&ear, "POST", "Bearer ${secrets.key}"),
            call(&ear, "GET", "Bearer ${secrets.late}"),
            call(&ear, "GET", "Bearer ${secrets.none}"),
            call(&ear, "GET", "plain"),
        ],
    );
    let check = |cluster: &Cluster| {
        let came = came(cluster, &job, 5);
        for n in [0, 4] {
            assert_eq!(came[n]["answer"]["text"], "ok", "{}", came[n]);
        }
        for n in [1, 2, 3] {
            assert_eq!(came[n]["error"]["kind"], "not_granted", "{}", came[n]);
        }
        let heads = ear.heard();
        let bearer = format!("authorization: Bearer {CANARY}\r\n");
        let carried = heads.iter().filter(|head| head.contains(&bearer));
        assert_eq!((heads.len(), carried.count()), (2, 1), "{heads:?}");
    };
    check(&cluster);
    // They are kept, and found nowhere in what is kept, told or shown.
    cluster.kill_primary();
    cluster.start_primary();
    cluster.wait_for_workers(1);
    check(&cluster);
    let shown = [
        cluster.run(&["secret", "list"]).ok().text(),
        cluster.run(&["show", "latest"]).ok().text(),
        cluster
            .run(&["--output", "json", "status", "latest"])
            .ok()
            .text(),
        cluster.explain(),
    ];
    for text in &shown {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert!(
        shown[0].contains("key") && shown[0].contains(&get),
        "{}",
        shown[0]
    );
    let mut found = Vec::new();
    holding(cluster.dir(), CANARY, &mut found);
    assert_eq!(found, Vec::<String>::new());

    // Another value holds for jobs to come, and none at all is said.
    cluster.run(&["secret", "remove", "key"]).ok();
    assert!(cluster.run(&["secret", "remove", "key"]).code != 0);
    let file = cluster.dir().join("job.toml");
    let refused = |cluster: &Cluster, text: &str, part: &str| {
        std::fs::write(&file, text).unwrap();
        let run = cluster.run(&["submit", &file.to_string_lossy()]);
        assert!(run.code != 0 && run.stderr.contains(part), "{}", run.stderr);
    };
    refused(&cluster, &job, "none of this name is kept");
    let other = definition(&ear, "secrets = ['other']", &[call(&ear, "GET", "x")]);
    refused(&cluster, &other, "the operator does not allow");
    let told = cluster
        .run(&["explain", &file.to_string_lossy()])
        .ok()
        .text();
    let part = "secret other ← the operator does not allow it; no secret of this name is kept";
    assert!(told.contains(part), "{told}");
}

#[test]
fn secrets_are_shown_to_those_who_may_see_them() {
    let ear = Ear::open();
    let cluster = start(&ear);
    let get = format!("GET http://127.0.0.1:{}", ear.port);
    set(&cluster, SHOWN, &["shown", "--reveal"]).unwrap();
    set(&cluster, CANARY, &["key", "--to", &get]).unwrap();
    let tells = |key: &str| json!({ "url": "", "tells": key });
    let job = cluster.submit(&definition(
        &ear,
        "secrets = ['key', 'shown']\nconfig = { shown = 'a ${secrets.shown} b', key = '${secrets.key}' }",
        &[tells("shown"), tells("key")],
    ));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    // What tells it fails with it, logs it and sets it as its status: all is struck out.
    let tasks = cluster.tasks(&job);
    let texts: Vec<String> = (0..2)
        .map(|n| {
            let log = cluster.get(&format!("/jobs/{job}/tasks/caller/{n}/logs"));
            format!("{} {}", tasks[n], String::from_utf8_lossy(&log.body))
        })
        .collect();
    let struck = texts[0].matches("a **** b").count();
    assert!(struck >= 3 && !texts[0].contains(SHOWN), "{}", texts[0]);
    // Who may not see it has what stands for it.
    assert!(texts[1].contains("${secrets.key}"), "{}", texts[1]);
    assert!(!texts[1].contains(CANARY), "{}", texts[1]);
    let seen = format!("{} bytes", format!("a {SHOWN} b").len());
    assert!(texts[0].contains(&seen), "{}", texts[0]);
}

#[test]
fn secrets_that_are_none() {
    let ear = Ear::open();
    let cluster = start(&ear);
    let get = "GET https://a.example";
    for (value, args, part) in [
        ("abc", vec!["key", "--to", get], "4 to 8192 bytes"),
        ("", vec!["key", "--to", get], "4 to 8192 bytes"),
        ("line\nline", vec!["key", "--to", get], "one line"),
        ("abcdef", vec!["key"], "of no use"),
        (
            "abcdef",
            vec!["key", "--to", "a.example"],
            "grants no requests",
        ),
        ("abcdef", vec!["a.b", "--to", get], "letters, digits"),
        ("abcdef", vec!["../key", "--to", get], "letters, digits"),
    ] {
        let refused = set(&cluster, value, &args).unwrap_err();
        assert!(refused.contains(part), "{args:?}: {refused}");
    }
    let long = "x".repeat(9000);
    assert!(set(&cluster, &long, &["key", "--to", get]).is_err());
    assert!(
        cluster
            .run(&["secret", "list"])
            .ok()
            .text()
            .contains("no secrets")
    );
}
