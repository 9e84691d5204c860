//! Files on real processes: what a definition names is there to be read and nothing else,
//! what a program writes is bounded while it writes, and nothing of it stays.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, task, wait_until};

/// Both generations of WASI: each has its own way to files.
const PROGRAMS: [&str; 2] = ["fixtures/files", "fixtures/files-p1"];

/// A cluster with files to read; none where this machine lets no worker offer any: then it
/// has said so, and refuses what asks for them.
fn start() -> Option<Cluster> {
    let cluster = Cluster::start(Options::default());
    let says = cluster.explain();
    if says.contains("this worker offers no files") {
        let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        assert!(!root, "root can offer files: {says}");
        refused(&cluster);
        return None;
    }
    let base = cluster.dir();
    std::fs::create_dir_all(base.join("notes/deep")).unwrap();
    for (path, text) in [
        ("notes/a.txt", "first"),
        ("notes/deep/b.txt", "second"),
        ("config.toml", "colour='green'"),
        ("secret", "nobody's"),
    ] {
        std::fs::write(base.join(path), text).unwrap();
    }
    // What a folder of somebody's may hold: a link that leads out of it is read when it is
    // uploaded, and is a file from then on.
    std::os::unix::fs::symlink(base.join("config.toml"), base.join("notes/link")).unwrap();
    Some(cluster)
}

/// A job with files is refused at once.
fn refused(cluster: &Cluster) {
    let file = cluster.dir().join("job.toml");
    let text = definition(PROGRAMS[0], "scratch = '1MiB'", &[]);
    std::fs::write(&file, text).unwrap();
    let run = cluster.run(&["submit", &file.to_string_lossy()]);
    let why = "it has files, and worker 'w0' offers none";
    assert!(run.code != 0 && run.stderr.contains(why), "{}", run.stderr);
}

fn definition(program: &str, more: &str, lines: &[&str]) -> String {
    let args: Vec<String> = lines.iter().map(|line| format!("'{line}'")).collect();
    format!(
        "[task]\nmodule = {{ path = '{}' }}\nargs = [{}]\n{more}\n",
        task(program).display(),
        args.join(", ")
    )
}

const INPUTS: &str = "files = { '/data' = 'notes/', '/etc/app/config.toml' = 'config.toml' }";
const BOTH: &str =
    "files = { '/data' = 'notes/', '/etc/app/config.toml' = 'config.toml' }\nscratch = '1MiB'";

/// What a program says that does one thing after another, each with what came of it.
fn check(cluster: &Cluster, program: &str, more: &str, acts: &[(&str, &str)]) {
    let lines: Vec<&str> = acts.iter().map(|(line, _)| *line).collect();
    let job = cluster.submit(&definition(program, more, &lines));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let said = cluster.run(&["result", &job]).ok().text();
    let want: Vec<String> = acts
        .iter()
        .map(|(line, came)| format!("{line}: {came}"))
        .collect();
    let said: Vec<&str> = said.lines().map(str::trim_end).collect();
    assert_eq!(said, want, "{program} {more}");
}

/// The failure of a program that does these things.
fn failure(cluster: &Cluster, program: &str, more: &str, lines: &[&str]) -> Value {
    let job = cluster.submit(&definition(program, more, lines));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "failed", "{view}\n{}", cluster.explain());
    view["failure"]["failure"].clone()
}

#[test]
fn programs_read_what_they_are_given_and_write_where_they_may() {
    let Some(cluster) = start() else { return };
    for program in PROGRAMS {
        check(
            &cluster,
            program,
            BOTH,
            &[
                ("list /", "ok data etc tmp"),
                ("list /data", "ok a.txt deep link"),
                ("read /data/a.txt", "ok first"),
                ("read /data/deep/b.txt", "ok second"),
                ("read data/link", "ok colour='green'"),
                ("read /etc/app/config.toml", "ok colour='green'"),
                ("write out.txt text", "ok"),
                ("write /tmp/t text", "ok"),
                ("append /out.txt more", "ok"),
                ("read /out.txt", "ok textmore"),
                ("rename /tmp/t /moved", "ok"),
                ("list /", "ok data etc moved out.txt tmp"),
                ("remove /moved", "ok"),
                ("fill /big 500000", "ok 500000"),
                ("remove /big", "ok"),
                // There is room again.
                ("fill /big 900000", "ok 900000"),
            ],
        );
        check(
            &cluster,
            program,
            INPUTS,
            &[
                ("list /", "ok data etc"),
                ("read /data/a.txt", "ok first"),
                ("write /out.txt text", "PermissionDenied"),
                ("list /tmp", "NotFound"),
                ("say {}", "Other"),
            ],
        );
        check(
            &cluster,
            program,
            "scratch = '64KiB'",
            &[("list /", "ok tmp")],
        );
    }
}

/// Ways out, or to write what is only to be read. None is to succeed.
const ESCAPES: [&str; 34] = [
    // Above the root, by dots and by paths of the machine.
    "read ../secret",
    "read /../secret",
    "read /data/../../secret",
    "read /data/deep/../../../../../../../../../etc/passwd",
    "list /..",
    "read /etc/passwd",
    "read /proc/self/environ",
    "read {base}/secret",
    "list {base}",
    // Links that the program makes itself.
    "symlink /etc/passwd absolute",
    "read absolute",
    "must symlink ../../../../../../etc/passwd relative",
    "read relative",
    "read relative/",
    "must symlink .. up",
    "list up",
    "list up/",
    "read up/secret",
    "write up/escaped text",
    "rename up/ down",
    "link up/secret stolen",
    // What is only to be read, and its name.
    "write /data/a.txt text",
    "append /etc/app/config.toml text",
    "resize /data/a.txt 0",
    "remove /data/a.txt",
    "folder /data/new",
    "write /data/new text",
    "rename /data/a.txt /a.txt",
    "link /data/a.txt /a.txt",
    "rename /data /other",
    "rename /tmp /data/deep",
    "write /data/a.txt/ text",
    "remove /etc/app/config.toml",
    "write /new/ text",
];

#[test]
fn no_path_leads_out_and_nothing_read_only_is_written() {
    let Some(cluster) = start() else { return };
    let base = cluster.dir().to_string_lossy().into_owned();
    let lines: Vec<String> = ESCAPES.iter().map(|l| l.replace("{base}", &base)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for program in PROGRAMS {
        let job = cluster.submit(&definition(program, BOTH, &lines));
        let view = cluster.finish(&job);
        assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
        let said = cluster.run(&["result", &job]).ok().text();
        assert_eq!(said.lines().count(), lines.len(), "{said}");
        for line in said.lines().filter(|line| !line.starts_with("must ")) {
            assert!(!line.contains(": ok"), "{program}: {line}");
        }
        // What it reads is as it was.
        check(
            &cluster,
            program,
            INPUTS,
            &[("read /data/a.txt", "ok first")],
        );
    }
    for path in ["escaped", "new", "stolen", "other"] {
        assert!(!cluster.dir().join(path).exists(), "{path}");
    }
    assert_eq!(
        std::fs::read_to_string(cluster.dir().join("notes/a.txt")).unwrap(),
        "first"
    );
}

#[test]
fn what_is_written_is_bounded_while_it_is_written() {
    let Some(cluster) = start() else { return };
    for program in PROGRAMS {
        for line in [
            "must fill /big 1000000000",
            "must many /m 1000000",
            "must deep /d 100000",
        ] {
            let failure = failure(&cluster, program, "scratch = '1MiB'", &[line]);
            if !line.contains("deep") {
                assert_eq!(failure["kind"], "scratch_limit", "{line}: {failure}");
                let message = failure["message"].as_str().unwrap();
                assert!(message.contains("1048576 bytes was full"), "{message}");
            }
        }
        // A file has no holes that are larger than the folder, and a program as many
        // open files as it may have handles.
        check(
            &cluster,
            program,
            "scratch = '1MiB'",
            &[
                ("resize /sparse 1000000000000", "FileTooLarge"),
                ("resize /sparse 1000000", "ok"),
                ("size /sparse", "ok 1000000"),
            ],
        );
        let line = "must open /data/a.txt 100000";
        let failure = failure(&cluster, program, BOTH, &[line]);
        assert_eq!(failure["kind"], "host_call_limit", "{failure}");
        // Another has none the less.
        check(&cluster, program, BOTH, &[("read /data/a.txt", "ok first")]);
    }
}

/// Processes that run attempts with files of this cluster.
fn rooms(cluster: &Cluster) -> usize {
    let base = cluster.dir().to_string_lossy().into_owned();
    let all = std::fs::read_dir("/proc").unwrap();
    let lines = all.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains("\0room\0") && line.contains(&base))
        .count()
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn nothing_is_left_of_it_when_it_ends_or_its_worker_dies() {
    let Some(mut cluster) = start() else { return };
    let data = cluster.dir().join("worker0/worker-w0");
    check(
        &cluster,
        PROGRAMS[0],
        BOTH,
        &[("write /out text", "ok"), ("read /data/a.txt", "ok first")],
    );
    let gone = |cluster: &Cluster| {
        wait_until(
            "all of it to be gone",
            Duration::from_secs(60),
            || (rooms(cluster) == 0 && is_empty(&data.join("rooms/mount"))).then_some(()),
            || cluster.explain(),
        );
    };
    gone(&cluster);
    let more = format!("{BOTH}\nlimits = {{ time = '10m' }}");
    let lines = ["write /out text", "spin"];
    let job = cluster.submit(&definition(PROGRAMS[0], &more, &lines));
    wait_until(
        "it to run",
        Duration::from_secs(60),
        || (rooms(&cluster) == 1).then_some(()),
        || cluster.explain(),
    );
    cluster.kill_worker(0);
    gone(&cluster);
    cluster.start_worker(0, None);
    cluster.wait_for_workers(1);
    // It runs anew, until somebody has enough of it.
    wait_until(
        "it to run again",
        Duration::from_secs(60),
        || (rooms(&cluster) == 1).then_some(()),
        || cluster.explain(),
    );
    cluster.run(&["cancel", &job]).ok();
    assert_eq!(cluster.finish(&job)["state"], "cancelled");
    gone(&cluster);
    wait_until(
        "its inputs to be gone",
        Duration::from_secs(60),
        || is_empty(&data.join("trees")).then_some(()),
        || cluster.explain(),
    );
}

#[test]
fn a_worker_that_offers_no_files_is_given_none() {
    let cluster = Cluster::start(Options {
        settings: "[worker]\nscratch = '0B'\n".into(),
        ..Options::default()
    });
    refused(&cluster);
}

#[test]
fn files_that_it_leaves_become_outputs() {
    let Some(cluster) = start() else { return };
    let more = "files = { '/data' = 'notes/' }\nscratch = '8MiB'\ncollect = ['*.html', 'out/**', 'none.*', 'data/**']";
    let lines = [
        "must write /page.html <p>",
        "must folder /out/deep",
        "must fill /out/deep/large.bin 3000000",
        "must write /out/.hidden text",
        "must write /other.txt text",
        "must symlink page.html link.html",
    ];
    for program in PROGRAMS {
        let job = cluster.submit(&definition(program, more, &lines));
        let view = cluster.finish(&job);
        assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
        let list = cluster.json(&["outputs", &job]);
        let items = list["items"].as_array().unwrap().iter();
        let found: Vec<_> = items
            .map(|of| (of["name"].as_str().unwrap(), of["bytes"].as_u64().unwrap()))
            .collect();
        assert_eq!(found, [("out_deep_large.bin", 3_000_000), ("page.html", 3)]);
        let page = cluster.run(&["outputs", &job, "page.html"]).ok().text();
        assert_eq!(page, "<p>");
        let log = cluster.run(&["logs", &job]).ok().text();
        assert!(log.contains("no file fits `none.*`"), "{log}");
        // A failure leaves none, and neither does one too many.
        let all = [lines[0], "must read /missing"];
        assert_eq!(failure(&cluster, program, more, &all)["kind"], "exit_code");
        let many = failure(&cluster, program, more, &["must many /out 33"]);
        assert_eq!(many["kind"], "output_limit", "{many}");
    }
}

#[test]
fn programs_say_their_status_in_a_file() {
    let Some(cluster) = start() else { return };
    let more = "scratch = '1MiB'\nlimits = { time = '10m' }";
    let said = [
        r#"must say {"progress":{"done":3,"total":4}}"#,
        r#"must say {"set":{"name":"phase","value":"parse"}}"#,
        "must say nonsense",
        r#"must say {"event":{"name":"half"}}"#,
        r#"must say {"log":"a line"}"#,
    ];
    for program in PROGRAMS {
        let spins: Vec<&str> = said.iter().copied().chain(["spin"]).collect();
        let job = cluster.submit(&definition(program, more, &spins));
        // While it runs.
        let view = wait_until(
            "its status",
            Duration::from_secs(60),
            || {
                let view = cluster.json(&["show", &format!("{job}.task")]);
                view.to_string().contains("parse").then_some(view)
            },
            || cluster.explain(),
        );
        assert!(view.to_string().contains("\"done\":3"), "{view}");
        cluster.run(&["cancel", &job]).ok();
        // And when it is over before anybody looks.
        let job = cluster.submit(&definition(program, more, &said));
        assert_eq!(cluster.finish(&job)["state"], "succeeded");
        let view = cluster.json(&["show", &format!("{job}.task")]).to_string();
        for part in ["\"done\":3", "parse", "half"] {
            assert!(view.contains(part), "{part}: {view}");
        }
        let log = cluster.run(&["logs", &job]).ok().text();
        assert_eq!(log.matches("says nothing").count(), 1, "{log}");
        assert!(log.contains("a line"), "{log}");
    }
}
