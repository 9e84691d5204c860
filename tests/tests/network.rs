//! Requests of guests over the network, to servers of this machine: only with every key,
//! only where the keys say, and never without an end.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use wasmhost_tests::{Cluster, Options, task};

/// A server of this machine, and whom its `/away` leads to.
fn serve(away: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut slow, mut waiting) = (Vec::new(), Vec::new());
        for stream in listener.incoming() {
            match answer(stream.unwrap(), away) {
                Held::No => {}
                Held::Slow(stream) => slow.push(stream),
                Held::Until(stream) => waiting.push(stream),
                // Who came first is answered once somebody else has come.
                Held::Go => waiting
                    .drain(..)
                    .for_each(|stream| respond(stream, "200 OK", "", b"waited")),
            }
        }
    });
    port
}

/// What is to become of a connection.
enum Held {
    No,
    Slow(TcpStream),
    Until(TcpStream),
    Go,
}

fn respond(mut stream: TcpStream, status: &str, more: &str, body: &[u8]) {
    let length = body.len();
    // A client that has had enough hangs up.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{more}\r\n"
    );
    let _ = stream.write_all(body);
}

/// Answers one request.
fn answer(mut stream: TcpStream, away: u16) -> Held {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return Held::No,
        }
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1);
    let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let (status, more, body) = match path {
        "/away" => {
            let there = format!("location: http://127.0.0.1:{away}/\r\n");
            ("302 Found", there, Vec::new())
        }
        "/large" => ("200 OK", String::new(), vec![b'x'; (8 << 20) + 1]),
        "/most" => ("200 OK", String::new(), vec![b'x'; 8 << 20]),
        "/slow" => return Held::Slow(stream),
        "/wait" => return Held::Until(stream),
        _ => {
            let text = format!("{path} {} bytes\n{head}", body.len());
            ("200 OK", String::new(), text.into_bytes())
        }
    };
    respond(stream, status, &more, &body);
    match path {
        "/go" => Held::Go,
        _ => Held::No,
    }
}

/// The operator allows more than the workers offer, and they offer what he does not allow.
fn settings(port: u16) -> String {
    format!(
        r#"
        [primary.allow]
        network = ["* http://127.0.0.1:{port}", "* http://*:*", "* https://elsewhere.test"]
        [worker]
        network = ["GET,POST,PUT http://127.0.0.1:{port}", "* http://*:*", "* https://denied.test"]
        "#
    )
}

fn start(port: u16) -> Cluster {
    Cluster::start(Options {
        settings: settings(port),
        ..Options::default()
    })
}

/// A job with a task for each call.
fn definition(network: &[String], calls: &[Value]) -> String {
    let items: Vec<String> = calls
        .iter()
        .map(|call| call.to_string().replace("\":", "\"="))
        .collect();
    format!(
        "[tasks.caller]\nmodule = {{ path = '{}' }}\narray = {{ items = [{}] }}\nnetwork = {}\n",
        task("fixtures/caller").display(),
        items.join(", "),
        json!(network)
    )
}

fn came(cluster: &Cluster, network: &[String], calls: &[Value]) -> Vec<Value> {
    let job = cluster.submit(&definition(network, calls));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    (0..calls.len())
        .map(|n| {
            let result = format!("/jobs/{job}/tasks/caller/{n}/result");
            cluster.get(&result).json()
        })
        .collect()
}

#[test]
fn requests_are_answered_within_their_bounds() {
    let other = serve(0);
    let port = serve(other);
    let cluster = start(port);
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let calls = [
        json!({ "url": url("/hello?a=b"), "headers": [["x-said", "by the task"]] }),
        json!({ "url": url("/"), "method": "POST", "bytes": 8 << 20 }),
        json!({ "url": url("/most") }),
        json!({ "url": url("/large") }),
        json!({ "url": url("/slow"), "timeout_ms": 200 }),
        json!({ "url": url("/away") }),
        json!({ "url": url("/away"), "follow": true }),
        json!({ "url": url("/"), "method": "POST", "bytes": (8 << 20) + 1 }),
    ];
    let network = [format!("GET,POST http://127.0.0.1:{port}")];
    let came = came(&cluster, &network, &calls);
    let text = |n: usize| came[n]["answer"]["text"].as_str().unwrap_or_default();
    assert!(text(0).starts_with("/hello?a=b 0 bytes"), "{}", came[0]);
    assert!(text(0).contains("x-said: by the task\r\n"), "{}", came[0]);
    assert!(text(1).starts_with("/ 8388608 bytes"), "{}", came[1]);
    assert_eq!(came[2]["answer"]["bytes"], 8 << 20, "{}", came[2]);
    for (n, kind) in [
        (3, "failed"),
        (4, "timed_out"),
        (6, "not_granted"),
        (7, "invalid"),
    ] {
        assert_eq!(came[n]["error"]["kind"], kind, "{}", came[n]);
    }
    assert_eq!(came[5]["answer"]["status"], 302, "{}", came[5]);
    let audit = cluster.explain();
    for part in ["sent GET http://127.0.0.1", "refused GET http://127.0.0.1"] {
        assert!(audit.contains(part), "{audit}");
    }
}

#[test]
fn nothing_is_sent_without_every_key() {
    let other = serve(0);
    let port = serve(other);
    let mut cluster = start(port);
    let get = |url: String| json!({ "url": url });
    let with = |method: &str, url: String| json!({ "url": url, "method": method });
    // All names are granted, and this address for two methods.
    let network = [
        format!("GET,PUT http://127.0.0.1:{port}"),
        "* http://*:*".to_owned(),
    ];
    let table = [
        with("POST", format!("http://127.0.0.1:{port}/")),
        with("DELETE", format!("http://127.0.0.1:{port}/")),
        with("get", format!("http://127.0.0.1:{port}/")),
        get(format!("https://127.0.0.1:{port}/")),
        get(format!("http://127.0.0.1:{other}/")),
        get(format!("http://localhost:{other}/")),
        get(format!("http://2130706433:{other}/")),
        get(format!("http://0x7f.1:{other}/")),
        get(format!("http://0177.0.0.1:{other}/")),
        get(format!("http://0.0.0.0:{port}/")),
        get(format!("http://127.0.0.2:{port}/")),
        get(format!("http://[::1]:{port}/")),
        get(format!("http://[::ffff:127.0.0.1]:{other}/")),
        get(format!("http://user@127.0.0.1:{port}/")),
        get(format!("http://127.0.0.1:{port}@127.0.0.1:{other}/")),
        get(format!("http://127.0.0.1:{}/", cluster.port())),
        get("http://169.254.169.254/".into()),
        get("file:///etc/passwd".into()),
        json!({ "url": format!("http://127.0.0.1:{port}/"), "headers": [["host", "a.example"]] }),
        json!({ "url": format!("http://127.0.0.1:{port}/"), "headers": [["a", "b\r\nhost: c"]] }),
    ];
    let told = came(&cluster, &network, &table);
    for (call, came) in table.iter().zip(&told) {
        let kind = came["error"]["kind"].as_str().unwrap_or_default();
        assert!(["not_granted", "invalid"].contains(&kind), "{call}: {came}");
    }
    // Asked for nothing.
    let told = came(&cluster, &[], &[get(format!("http://127.0.0.1:{port}/"))]);
    assert_eq!(told[0]["error"]["kind"], "not_granted", "{}", told[0]);

    let refused = |cluster: &Cluster, network: &str, part: &str| {
        let file = cluster.dir().join("job.toml");
        let text = definition(&[network.to_owned()], &[get("http://a.test".into())]);
        std::fs::write(&file, text).unwrap();
        let run = cluster.run(&["submit", &file.to_string_lossy()]);
        assert!(run.code != 0 && run.stderr.contains(part), "{}", run.stderr);
    };
    refused(
        &cluster,
        "GET https://denied.test",
        "the operator does not allow",
    );
    refused(&cluster, "GET https://*", "the operator does not allow");
    refused(
        &cluster,
        "GET http://127.0.0.1:1",
        "the operator does not allow",
    );
    refused(
        &cluster,
        "GET https://elsewhere.test",
        "which worker 'w0' does not offer",
    );
    let delete = format!("DELETE http://127.0.0.1:{port}");
    refused(&cluster, &delete, "which worker 'w0' does not offer");
    refused(&cluster, "GET elsewhere.test", "asks for no requests");
    let file = cluster.dir().join("job.toml");
    let all = [
        "POST http://a.test".to_owned(),
        "GET https://denied.test".to_owned(),
        "GET https://elsewhere.test".to_owned(),
    ];
    std::fs::write(&file, definition(&all, &[get("http://a.test".into())])).unwrap();
    let told = cluster
        .run(&["explain", &file.to_string_lossy()])
        .ok()
        .text();
    for part in [
        "POST http://a.test ← the operator allows it; offered by w0",
        "GET https://denied.test ← the operator does not allow it; offered by w0",
        "GET https://elsewhere.test ← the operator allows it; no worker",
    ] {
        assert!(told.contains(part), "{told}");
    }

    // The only worker that offers it gets all of it.
    cluster.settings("[worker]\nnetwork = ['* https://*']");
    cluster.add_worker();
    cluster.wait_for_workers(2);
    let elsewhere = ["GET https://elsewhere.test".to_owned()];
    let calls = vec![get("https://127.0.0.1/".into()); 8];
    let job = cluster.submit(&definition(&elsewhere, &calls));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    for task in cluster.tasks(&job) {
        let text = task.to_string();
        assert!(text.contains("w1") && !text.contains("w0"), "{text}");
    }
}

/// A component that uses `wasi:http`: two requests at once, and data while they are under way.
#[test]
fn components_send_requests() {
    let port = serve(0);
    let cluster = start(port);
    let pages = |network: &str| {
        format!(
            "[task]\nmodule = {{ path = '{}' }}\nnetwork = [{network}]\n\
             input = {{ server = '127.0.0.1:{port}', first = '/wait', second = '/go' }}\n",
            task("fixtures/pages").display(),
        )
    };
    let job = cluster.submit(&pages(&format!("'GET,POST http://127.0.0.1:{port}'")));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let came = cluster.get(&format!("/jobs/{job}/result")).json();
    assert_eq!(came["first"], "200 waited", "{came}");
    let second = came["second"].as_str().unwrap();
    assert!(second.starts_with("200 /go 6 bytes"), "{came}");
    assert!(second.contains("accept: text/plain\r\n"), "{came}");
    assert_eq!(came["kept"], 42, "{came}");

    // Only where it is granted, and it is said before it runs.
    let job = cluster.submit(&pages("'GET http://*:*'"));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "failed", "{view}");
    let failed = format!("{:?}", cluster.tasks(&job));
    assert!(failed.contains("HttpRequestDenied"), "{failed}");
    let file = cluster.dir().join("job.toml");
    std::fs::write(&file, pages("")).unwrap();
    let run = cluster.run(&["submit", &file.to_string_lossy()]);
    let told = run.code != 0 && run.stderr.contains("sends requests");
    assert!(told, "{}", run.stderr);
}

#[test]
fn scripts_send_requests() {
    let port = serve(0);
    let cluster = Cluster::start(Options {
        settings: settings(port),
        engines: true,
        ..Options::default()
    });
    let job = cluster.submit(&format!(
        r#"
        [task]
        network = ["GET http://127.0.0.1:{port}"]
        [task.script]
        js = '''
        export default function () {{
          const answer = host.http.fetch({{
            method: "GET", url: "http://127.0.0.1:{port}/from-a-script",
            headers: [{{ name: "x-said", value: "by a script" }}], body: [],
          }});
          return {{ status: answer.status, text: new TextDecoder().decode(answer.body) }};
        }}
        '''
        "#
    ));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let result = cluster.get(&format!("/jobs/{job}/result")).json();
    let text = result.to_string();
    assert!(
        result["status"] == 200 && text.contains("/from-a-script"),
        "{text}"
    );
    assert!(text.contains("x-said: by a script"), "{text}");
}
