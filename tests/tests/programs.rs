//! Programs of the machine, real ones, started by guests: only with every key, only as the
//! settings say, and never longer than the attempt.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use wasmhost_tests::{Cluster, Options, task, wait_until};

/// The operator allows more than this machine's workers offer.
fn settings(marker: &str) -> String {
    format!(
        r#"
        [primary.allow]
        programs = ["sha256sum", "gzip", "forks", "test-*", "elsewhere"]
        [worker.programs.sha256sum]
        path = "/usr/bin/sha256sum"
        allow = ["--tag"]
        [worker.programs.gzip]
        path = "{gzip}"
        args = ["-c"]
        allow-patterns = ["-[1-9]"]
        [worker.programs.denied]
        path = "/bin/sh"
        [worker.programs.test-env]
        path = "/bin/sh"
        args = ["-c", "cat /proc/self/environ; ls /proc/self/fd | wc -l; ls -A | wc -l; ulimit -c"]
        env = {{ COLOUR = "green" }}
        [worker.programs.test-exit]
        path = "/bin/sh"
        args = ["-c", "cat >/dev/null; echo odd >&2; exit 7"]
        [worker.programs.test-slow]
        path = "/bin/sh"
        args = ["-c", "sleep 1000"]
        time = "300ms"
        [worker.programs.test-spins]
        path = "/bin/sh"
        args = ["-c", "while :; do :; done"]
        cpu = "1s"
        [worker.programs.test-floods]
        path = "/bin/sh"
        args = ["-c", "while :; do echo flood; done"]
        output = "64KiB"
        [worker.programs.test-memory]
        path = "/bin/sh"
        args = ["-c", "ulimit -v"]
        memory = "64MiB"
        [worker.programs.forks]
        path = "/bin/sh"
        args = ["-c", "sleep {marker} & setsid sleep {marker} & (setsid sh -c 'sleep {marker} & sleep {marker}' &) ; echo up; wait; sleep {marker}"]
        "#,
        gzip = ["/usr/bin/gzip", "/bin/gzip"]
            .into_iter()
            .find(|p| Path::new(p).exists())
            .unwrap(),
    )
}

/// A number that no other test's processes sleep for.
fn marker() -> String {
    format!("98765{}", std::process::id())
}

/// Command lines of processes that have the marker in theirs.
fn marked(marker: &str) -> usize {
    let all = std::fs::read_dir("/proc").unwrap();
    let sleeps = all.filter_map(|entry| {
        let line = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        (line.starts_with("sleep\0") && line.contains(marker)).then_some(())
    });
    sleeps.count()
}

fn start(marker: &str) -> Cluster {
    Cluster::start(Options {
        settings: settings(marker),
        ..Options::default()
    })
}

/// A job with a task for each tool.
fn definition(programs: &[&str], tools: &[Value]) -> String {
    let items: Vec<String> = tools
        .iter()
        .map(|tool| tool.to_string().replace("\":", "\"="))
        .collect();
    format!(
        "[tasks.tools]\nmodule = {{ path = '{}' }}\narray = {{ items = [{}] }}\nprograms = {}\n",
        task("fixtures/tools").display(),
        items.join(", "),
        json!(programs)
    )
}

fn said(cluster: &Cluster, programs: &[&str], tools: &[Value]) -> Vec<Value> {
    let job = cluster.submit(&definition(programs, tools));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    (0..tools.len())
        .map(|n| {
            let result = format!("/jobs/{job}/tasks/tools/{n}/result");
            cluster.get(&result).json()
        })
        .collect()
}

#[test]
fn programs_do_what_they_are_for_within_their_bounds() {
    let cluster = start(&marker());
    let programs = [
        "sha256sum",
        "gzip",
        "test-env",
        "test-exit",
        "test-slow",
        "test-spins",
        "test-floods",
        "test-memory",
    ];
    let tools = [
        json!({ "name": "sha256sum", "stdin": "abc" }),
        json!({ "name": "gzip", "args": ["-9"], "stdin": "abc".repeat(1000) }),
        json!({ "name": "test-env" }),
        json!({ "name": "test-exit", "stdin": "ignored" }),
        json!({ "name": "test-slow" }),
        json!({ "name": "test-spins" }),
        json!({ "name": "test-floods" }),
        json!({ "name": "test-memory" }),
    ];
    let said = said(&cluster, &programs, &tools);
    let ended = |n: usize| &said[n]["ended"];
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n";
    assert_eq!(ended(0)["stdout"], abc, "{}", said[0]);
    let packed = ended(1)["stdout"].as_str().unwrap().chars().count();
    assert!((10..100).contains(&packed), "{}", said[1]);
    // Its own environment, three streams and what `ls` opens, an empty folder, no core files.
    let alone = ended(2)["stdout"].as_str().unwrap();
    let shell = ["COLOUR=green\u{0}", "4\n0\n0\n"];
    assert!(shell.iter().all(|part| alone.contains(part)), "{alone}");
    let foreign = ["PATH=", "HOME=", "WASMHOST"];
    assert!(!foreign.iter().any(|name| alone.contains(name)), "{alone}");
    assert_eq!(
        (&ended(3)["code"], &ended(3)["stderr"]),
        (&json!(7), &json!("odd\n")),
        "{}",
        said[3]
    );
    for (n, why) in [(4, "time limit"), (5, "signal"), (6, "output")] {
        let end = ended(n);
        assert!(end["code"].is_null(), "{end}");
        assert!(end["why"].as_str().unwrap().contains(why), "{end}");
    }
    assert_eq!(ended(7)["stdout"], "65536\n", "{}", said[7]);
}

#[test]
fn nothing_runs_without_every_key() {
    let mut cluster = start(&marker());
    let tool = |name: &str, args: &[&str]| json!({ "name": name, "args": args });
    // Granted, but not with these arguments; and what the task does not ask for.
    let table = [
        tool("sha256sum", &["/etc/passwd"]),
        tool("sha256sum", &["--tag", "-"]),
        tool("sha256sum", &["--tag=x"]),
        tool("sha256sum", &["--tag --check"]),
        tool("sha256sum", &["--check"]),
        tool("sha256sum", &["--tag", "--files0-from=/etc/passwd"]),
        tool("sha256sum", &["$(id)"]),
        tool("sha256sum", &["; id"]),
        tool("sha256sum", &["|id"]),
        tool("sha256sum", &["--"]),
        tool("sha256sum", &[""]),
        tool("gzip", &["-10"]),
        tool("gzip", &["-1", "-S.x"]),
        tool("gzip", &["-1\n"]),
        tool("gzip", &["a-1"]),
        tool("gzip", &["-d"]),
        tool("gzip", &["--", "-1"]),
        tool("test-env", &["x"]),
        tool("test-exit", &[]),
        tool("denied", &[]),
        tool("elsewhere", &[]),
        tool("/bin/sh", &["-c", "id"]),
        tool("../sha256sum", &[]),
        tool("", &[]),
    ];
    let said = said(&cluster, &["sha256sum", "gzip", "test-env"], &table);
    for (tool, said) in table.iter().zip(&said) {
        assert!(said["refused"].is_string(), "{tool}: {said}");
    }
    let audit = cluster.explain();
    assert!(audit.contains("refused a program"), "{audit}");

    let refused = |cluster: &Cluster, programs: &[&str], part: &str| {
        let file = cluster.dir().join("job.toml");
        std::fs::write(&file, definition(programs, &[tool("x", &[])])).unwrap();
        let run = cluster.run(&["submit", &file.to_string_lossy()]);
        assert!(run.code != 0 && run.stderr.contains(part), "{}", run.stderr);
    };
    // Offered and not allowed; allowed and not offered.
    refused(&cluster, &["denied"], "the operator does not allow");
    refused(&cluster, &["elsewhere"], "which worker 'w0' does not offer");
    refused(&cluster, &["a b"], "names no program");
    let file = cluster.dir().join("job.toml");
    let all = ["sha256sum", "denied", "elsewhere"];
    std::fs::write(&file, definition(&all, &[tool("x", &[])])).unwrap();
    let told = cluster
        .run(&["explain", &file.to_string_lossy()])
        .ok()
        .text();
    for part in [
        "program sha256sum ← the operator allows it; offered by w0",
        "program denied ← the operator does not allow it; offered by w0",
        "program elsewhere ← the operator allows it; no worker",
    ] {
        assert!(told.contains(part), "{told}");
    }

    // The only worker that offers it gets all of it.
    cluster.settings("[worker.programs.elsewhere]\npath = '/bin/sh'\nargs = ['-c', 'echo here']");
    cluster.add_worker();
    cluster.wait_for_workers(2);
    let job = cluster.submit(&definition(
        &["elsewhere"],
        &vec![tool("elsewhere", &[]); 8],
    ));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    for task in cluster.tasks(&job) {
        let text = task.to_string();
        assert!(text.contains("w1") && !text.contains("w0"), "{text}");
    }
}

/// The page's own script packs a text; another one is refused what it did not ask for.
#[test]
fn scripts_start_programs() {
    let cluster = Cluster::start(Options {
        settings: settings(&marker()),
        engines: true,
        ..Options::default()
    });
    let page = include_str!("../../docs/programs.md");
    let script = page.split("```js\n").nth(1).unwrap();
    let script = script.split("```").next().unwrap();
    let job = cluster.submit(&format!(
        r#"
        [tasks.packs]
        script = {{ js = '''{script}''' }}
        input = "{text}"
        programs = ["gzip"]
        [tasks.refused]
        script = {{ js = '''
        export default function () {{
          try {{ host.programs.start("sha256sum", []); }} catch (e) {{ return String(e); }}
        }}
        ''' }}
        programs = ["gzip"]
        "#,
        text = "abc".repeat(1000),
    ));
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let result = |task: &str| {
        let path = format!("/jobs/{job}/tasks/{task}/0/result");
        cluster.get(&path).json()
    };
    let packed = result("packs");
    let bytes = packed["bytes"].as_u64().unwrap();
    assert!((20..100).contains(&bytes), "{packed}");
    assert_eq!(packed["code"], 0);
    let refused = result("refused").to_string();
    assert!(refused.contains("sha256sum"), "{refused}");
    // What was granted is told with the task.
    let told = cluster
        .run(&["show", &format!("{job}.packs.0")])
        .ok()
        .text();
    assert!(told.contains("granted programs gzip"), "{told}");
    let workers = cluster.run(&["workers"]).ok().text();
    assert!(workers.contains("sha256sum"), "{workers}");
}

/// Whoever ends first: nothing is left of a program that starts others in sessions of their
/// own.
#[test]
fn nothing_is_left_of_a_program() {
    let marker = marker();
    let mut cluster = start(&marker);
    let gone = |what: &str, cluster: &Cluster| {
        wait_until(
            what,
            Duration::from_secs(60),
            || (marked(&marker) == 0).then_some(()),
            || cluster.explain(),
        );
    };
    let forks = |how: &str| json!({ "name": "forks", how: true });
    let killed = said(&cluster, &["forks"], &[forks("kill")]);
    assert!(
        killed[0].to_string().contains("killed by its task"),
        "{}",
        killed[0]
    );
    gone("a killed program to be gone", &cluster);
    said(&cluster, &["forks"], &[forks("leave")]);
    gone("a program that was left alone to be gone", &cluster);

    let up = |cluster: &Cluster| {
        let job = cluster.submit(&definition(&["forks"], &[json!({ "name": "forks" })]));
        wait_until(
            "the program to run",
            Duration::from_secs(60),
            || (marked(&marker) == 4).then_some(()),
            || cluster.explain(),
        );
        job
    };
    let job = up(&cluster);
    cluster.run(&["cancel", &job]).ok();
    gone("a cancelled attempt's program to be gone", &cluster);
    up(&cluster);
    cluster.kill_worker(0);
    gone("a killed worker's program to be gone", &cluster);
}
