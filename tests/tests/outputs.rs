//! Outputs on real processes: listed and downloaded, also while they grow, those of the
//! attempt that counts, under headers that no browser runs anything with.
#![allow(clippy::unwrap_used)]

use std::time::Duration;
use wasmhost_tests::{Cluster, Options, task, wait_until};

const LINE: usize = 64;
const WIDE: usize = 64 << 10;

fn submit(cluster: &Cluster, items: &[String]) -> String {
    cluster.submit(&format!(
        r#"
        [job]
        publishes = ["writer"]
        [tasks.write]
        module = {{ path = "{}" }}
        array = {{ items = [{}] }}
        retry = {{ max = 1, backoff = "1ms" }}
        limits = {{ time = "10m" }}
        "#,
        task("fixtures/writer").display(),
        items.join(", ")
    ))
}

fn item(name: &str, kind: &str, lines: usize, more: &str) -> String {
    let more: Vec<String> = ["wait", "fail"]
        .iter()
        .map(|key| format!("{key} = {}", more.contains(key)))
        .collect();
    let more = more.join(", ");
    // Much is written in long lines: each costs a call.
    let width = if lines * LINE > 1 << 24 { WIDE } else { LINE };
    let lines = lines * LINE / width;
    format!(
        "{{ name = '{name}', content_type = '{kind}', lines = {lines}, width = {width}, {more} }}"
    )
}

#[test]
fn outputs_are_listed_and_downloaded_while_they_grow_and_after() {
    let cluster = Cluster::start(Options::default());
    let large = 20_000;
    let items = [item("page <1>.html", "text/html", large, "wait")];
    let job = submit(&cluster, &items);
    let first = wait_until(
        "the first line",
        Duration::from_secs(60),
        || {
            let run = cluster.run(&["outputs", &job, "page <1>.html"]);
            (run.code == 0 && !run.stdout.is_empty()).then_some(run.stdout)
        },
        || cluster.explain(),
    );
    assert_eq!(first.len(), LINE);
    let list = cluster.json(&["outputs", &job]);
    assert_eq!(list["items"][0]["complete"], false, "{list}");
    let told = cluster
        .run(&["show", &format!("{job}.write.0")])
        .ok()
        .text();
    assert!(
        told.contains("output: page <1>.html, text/html, "),
        "{told}"
    );
    assert!(told.contains(" up to now"), "{told}");
    cluster.run(&["data", "set", "writer", "go", "true"]).ok();
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let whole = cluster.run(&["outputs", &job, "page <1>.html"]).ok().stdout;
    assert_eq!(whole.len(), large * LINE);
    for (n, line) in whole.chunks(LINE).enumerate() {
        assert!(line.starts_with(format!("{n:>12} of").as_bytes()), "{n}");
    }
    let list = cluster.json(&["outputs", &job]);
    assert_eq!(list["items"][0]["complete"], true, "{list}");
    assert_eq!(list["items"][0]["bytes"], large * LINE, "{list}");
    let path = format!("/jobs/{job}/tasks/write/0/outputs/page%20%3C1%3E.html");
    let answer = cluster.get(&path);
    let head = answer.head.to_lowercase();
    for line in [
        "content-type: text/html",
        "x-content-type-options: nosniff",
        "content-disposition: attachment; filename=\"page__1_.html\"",
        "content-security-policy: default-src 'none'; sandbox",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
}

#[test]
fn those_of_the_last_attempt_count_and_bad_ones_are_refused() {
    let cluster = Cluster::start(Options::default());
    let items = [
        item("a.txt", "text/plain", 3, "fail"),
        item("../a.txt", "text/plain", 1, ""),
        item("a.txt", "text", 1, ""),
        item(
            "big.bin",
            "application/octet-stream",
            (257 << 20) / LINE,
            "",
        ),
    ];
    let job = submit(&cluster, &items);
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let refused = |n: usize| {
        let path = format!("/jobs/{job}/tasks/write/{n}/result");
        cluster.get(&path).json()["refused"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(refused(0), "");
    assert!(
        refused(1).contains("the name of an output"),
        "{}",
        refused(1)
    );
    assert!(refused(2).contains("no content type"), "{}", refused(2));
    assert!(refused(3).contains("268435456 bytes"), "{}", refused(3));
    let list = cluster.json(&["outputs", &job]);
    let items = list["items"].as_array().unwrap().iter();
    let names: Vec<_> = items.map(|of| of["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.txt", "big.bin"]);
    let text = cluster
        .run(&["outputs", &format!("{job}.write.0"), "a.txt"])
        .ok()
        .text();
    assert!(
        text.contains("attempt 2") && !text.contains("attempt 1 "),
        "{text}"
    );
    let none = cluster.run(&["outputs", &job, "b.txt"]);
    assert!(
        none.code != 0 && none.stderr.contains("no output 'b.txt'"),
        "{}",
        none.stderr
    );
}
