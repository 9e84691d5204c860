//! Scripts, from a definition to their results and failures.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::fs;
use wasmhost_tests::{Cluster, Options, task};

fn cluster() -> Cluster {
    Cluster::start(Options {
        engines: true,
        ..Options::default()
    })
}

/// What a task gave.
fn result(tasks: &[Value], node: &str, index: u32) -> Value {
    let task = tasks
        .iter()
        .find(|task| task["node"] == node && task["index"] == index)
        .unwrap_or_else(|| panic!("no {node}[{index}] in {tasks:?}"));
    let text = task["result"]["text"].as_str();
    let text = text.unwrap_or_else(|| panic!("no text in {task}"));
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A file and an inline text, an array with configuration, a restart of the primary
/// that finds its engines there.
#[test]
fn scripts_run_like_modules() {
    let mut cluster = cluster();
    let names = |cluster: &Cluster| -> Vec<String> {
        let list = cluster.json(&["module", "list"]);
        let names = list["items"].as_array().unwrap().iter();
        let mut names: Vec<String> = names.map(|m| m["names"][0].to_string()).collect();
        names.sort();
        names
    };
    let engines = names(&cluster);
    assert_eq!(engines.len(), 2, "{engines:?}");
    assert!(engines[0].contains("engine-js:") && engines[1].contains("engine-rhai:"));

    let dir = cluster.dir().to_owned();
    fs::write(
        dir.join("twice.rhai"),
        "fn main(input) { host.status.set(\"n\", input); input * 2 }",
    )
    .unwrap();
    let job = cluster.submit(
        r#"
        [job]
        name = "scripts"
        [tasks.twice]
        script = "twice.rhai"
        array = { range = [0, 20] }
        [tasks.hello]
        script = { js = """
            export default async function (input) {
                const rate = Number(host.config("rate"));
                return { greeting: "hello " + input.who, rate, task: host.context.task };
            }
        """ }
        input = { who = "you" }
        config = { rate = "1.5" }
        "#,
    );
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let want = json!({ "greeting": "hello you", "rate": 1.5, "task": "hello" });
    let tasks = cluster.tasks(&job);
    assert_eq!(result(&tasks, "hello", 0), want);
    for index in [0, 19] {
        assert_eq!(result(&tasks, "twice", index), json!(index * 2));
    }

    cluster.kill_primary();
    cluster.start_primary();
    assert_eq!(names(&cluster), engines);
}

#[test]
fn scripts_share_data() {
    let cluster = cluster();
    let job = cluster.submit(
        r#"
        [job]
        publishes = ["board"]
        [tasks.js]
        script = { js = """
            export default function () {
                const board = host.publicData;
                const first = board.set("board", "best", { length: 3.5, tour: [1, 2] }, "absent");
                const thrown = (act) => { try { act(); } catch (e) { return e.message; } };
                return [
                    board.get("board", "best").value.tour[1],
                    thrown(() => board.set("board", "best", 1, "absent")).includes("conflict: " + first),
                    board.set("board", "best", "text", first) > first,
                    board.add("board", "n", 4),
                    thrown(() => board.set("other", "n", 1)).includes("publishes"),
                    host.privateData.get("n"),
                    board.entries("board", "", null, 10).entries.map((e) => e.key),
                ];
            }
        """ }
        [tasks.rhai]
        after = ["js"]
        script = { rhai = """
            fn main(input) {
                host.private_data.set("seen", #{ a: [1] });
                [host.public_data.add("board", "n", 3), host.private_data.get("seen").value.a[0],
                    host.public_data.get("board", "best").value]
            }
        """ }
        "#,
    );
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let tasks = cluster.tasks(&job);
    let want = json!([2, true, true, 4, true, null, ["best", "n"]]);
    assert_eq!(result(&tasks, "js", 0), want);
    assert_eq!(result(&tasks, "rhai", 0), json!([7, 1, "text"]));
}

/// What a script says, and how it ends.
#[test]
fn failures_are_told_in_the_lines_of_the_script() {
    let cluster = cluster();
    let script = "function inner(x) {\n  return x.no.such;\n}\nexport default (x) => inner(x);\n";
    fs::write(cluster.dir().join("report.js"), script).unwrap();
    for (source, retry, kind, message, frame, attempts) in [
        (
            r#""report.js""#,
            0,
            "guest_error",
            "TypeError",
            "inner (report.js:2:",
            1,
        ),
        (
            r#"{ js = "export default () => { throw { message: 'busy', retryable: true } }" }"#,
            2,
            "guest_retryable",
            "busy",
            "",
            3,
        ),
        (r#"{ rhai = "loop { }" }"#, 0, "time_limit", "time", "", 1),
        (
            r#"{ rhai = "fn main(x) { throw \"no\" }" }"#,
            0,
            "guest_error",
            "no",
            "task.rhai:1:",
            1,
        ),
    ] {
        let job = cluster.submit(&format!(
            "[job]\nname = 'fails'\n[task]\nscript = {source}\ninput = {{}}\n\
             [task.limits]\ntime = '1s'\n[task.retry]\nmax = {retry}\nbackoff = '10ms'\n"
        ));
        let view = cluster.finish(&job);
        let failure = &view["failure"]["failure"];
        assert_eq!(failure["kind"], kind, "{source}: {view}");
        assert!(
            failure["message"].as_str().unwrap().contains(message),
            "{failure}"
        );
        let backtrace = failure["backtrace"].as_str().unwrap_or_default();
        assert!(backtrace.contains(frame), "{source}: {failure}");
        let task = &cluster.tasks(&job)[0];
        let tried = task["attempts"].as_array().map_or(0, Vec::len);
        assert_eq!(tried, attempts, "{task}");
    }
    let lost = &cluster.json(&["workers"])["items"][0]["executors_lost"];
    assert_eq!(lost, &Value::from(0), "no script brought an executor down");
}

/// Python is any command that takes `-c TEXT`, as CPython does: a program that writes down
/// what it was given stands in for it.
#[test]
fn python_scripts_are_given_to_a_command() {
    let cluster = Cluster::start(Options::default());
    let definition = |script: &str, args: &str| {
        format!(
            "[task]\nscript = {script}\nargs = [{args}]\nenv = {{ COLOUR = 'green' }}\n\
             input = 'from stdin'\n"
        )
    };
    let file = cluster.dir().join("python.toml");
    let text = definition(
        "{ python = \"print('hello')\\n\" }",
        "'--env', 'COLOUR', 'two words'",
    );
    fs::write(&file, text).unwrap();
    let run = cluster.run(&["submit", "python.toml"]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(run.stderr.contains("engine-python"), "{}", run.stderr);
    for program in ["fixtures/plain", "fixtures/plain-p1"] {
        let module = task(program).display().to_string();
        cluster.json(&["module", "push", &module, "--name", "engine-python"]);
        let run = cluster.run(&["submit", "python.toml", "--wait"]).ok();
        let want = "arg -c\narg print('hello')\n\nenv COLOUR=green\narg two words\nfrom stdin";
        assert_eq!(run.text().trim_end(), want, "{program}");
        // A file is the same, and how the command ends is how the task does.
        fs::write(cluster.dir().join("a.py"), "import sys").unwrap();
        let job = cluster.submit(&definition("'a.py'", "'--err', 'no', '--exit', '3'"));
        let view = cluster.finish(&job);
        assert_eq!(view["failure"]["failure"]["kind"], "exit_code", "{view}");
        let logs = cluster.run(&["logs", &job]).ok();
        assert!(logs.text().contains("no"), "{}", logs.text());
    }
}

/// Modules made of scripts: the same bytes each time, the same results and errors as on
/// the engines, which are gone by then.
#[test]
fn modules_made_of_scripts_need_no_engine() {
    let cluster = cluster();
    let dir = cluster.dir().to_owned();
    let report = "const table = new Map([['a', 1]]);\nfunction inner(x) {\n  return x.no.such;\n}\n\
        export default function (x) {\n  if (x === 'fail') inner(null);\n  host.status.set('n', x);\n  \
        return [x, table.get('a'), host.config('rate')];\n}\n";
    fs::write(dir.join("report.js"), report).unwrap();
    fs::create_dir(dir.join("elsewhere")).unwrap();
    fs::write(dir.join("elsewhere/report.js"), report).unwrap();
    fs::write(dir.join("twice.rhai"), "fn main(x) { x * 2 }").unwrap();
    fs::write(dir.join("throws.js"), "let a = 1;\na.b.c;\n").unwrap();
    fs::write(dir.join("task.py"), "print(1)").unwrap();

    let build =
        |file: &str| cluster.json(&["module", "build", file, "--to", "out.wasm"])["digest"].clone();
    assert_eq!(build("report.js"), build("elsewhere/report.js"));
    for (file, code, parts) in [
        ("throws.js", 5, &["TypeError", "throws.js"][..]),
        ("task.py", 5, &["cannot be made a module of its own"]),
        ("gone.js", 1, &["gone.js"]),
    ] {
        let run = cluster.run(&["module", "push", file]);
        assert_eq!(run.code, code, "{file}: {}", run.stderr);
        assert!(
            parts.iter().all(|part| run.stderr.contains(part)),
            "{}",
            run.stderr
        );
    }

    cluster.run(&["module", "push", "twice.rhai"]).ok();
    let job = cluster
        .submit("[task]\nmodule = { path = 'report.js' }\ninput = 4\nconfig = { rate = '1.5' }\n");
    assert_eq!(
        cluster.finish(&job)["state"],
        "succeeded",
        "{}",
        cluster.explain()
    );
    let digest = &cluster.json(&["module", "show", "report"])["digest"];
    assert_eq!(
        digest,
        &cluster.json(&["module", "push", "report.js"])["digest"]
    );

    for engine in ["engine-js", "engine-rhai"] {
        cluster.run(&["module", "remove", engine]).ok();
    }
    let run = cluster.run(&["module", "push", "report.js"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("--engines"), "{}", run.stderr);
    let job = cluster.submit(
        "[job]\nname = 'alone'\non_failure = 'continue'\n[tasks.report]\nmodule = 'report'\n\
         array = { items = [3, 'fail'] }\ninput = '${item}'\nconfig = { rate = '1.5' }\n\
         [tasks.twice]\nmodule = 'twice'\ninput = 21\n",
    );
    cluster.finish(&job);
    let tasks = cluster.tasks(&job);
    assert_eq!(result(&tasks, "report", 0), json!([3, 1, "1.5"]));
    assert_eq!(result(&tasks, "twice", 0), json!(42));
    let failure = &tasks[1]["attempts"][0]["failure"];
    assert_eq!(failure["kind"], "guest_error", "{tasks:?}");
    let stack = failure["backtrace"].as_str().unwrap();
    assert!(stack.contains("inner (report.js:3:"), "{stack}");
}
