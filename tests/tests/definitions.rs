//! Stored definitions and admission, as people use them: apply, compare, submit by name,
//! remove; what no worker could run.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use wasmhost_tests::{Cluster, Options, Process, task};

/// Writes a file into the cluster's folder; gives its path.
fn file(cluster: &Cluster, name: &str, text: &str) -> String {
    let path = cluster.dir().join(name);
    fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

fn definition(input: &str) -> String {
    let echo = task("echo").display().to_string();
    format!(
        "[job]\nname = \"greet\"\n[task]\nmodule = {{ path = \"{echo}\" }}\ninput = \"{input}\"\n"
    )
}

/// Runs a command that is refused; what it says.
fn refused(cluster: &Cluster, args: &[&str], code: i32) -> String {
    let run = cluster.run(args);
    assert_eq!(run.code, code, "{args:?}: {}{}", run.text(), run.stderr);
    run.stderr
}

#[test]
fn a_definition_lives_in_versions() {
    let mut cluster = Cluster::start(Options::default());
    let path = file(&cluster, "greet.toml", &definition("hello"));
    let apply = |cluster: &Cluster, args: &[&str]| {
        let args = [&["definition", "apply", &path][..], args].concat();
        cluster.json(&args)["version"].clone()
    };
    assert_eq!(apply(&cluster, &["--note", "the first"]), 1);
    assert_eq!(apply(&cluster, &["--note", "the same"]), 1);
    let said = cluster.run(&["definition", "apply", &path]).ok();
    assert_eq!(said.text(), "nothing differs from greet@1\n");
    fs::write(&path, definition("good day")).unwrap();
    assert_eq!(apply(&cluster, &[]), 2);
    assert_eq!(apply(&cluster, &["--name", "other"]), 1);

    let listed = cluster.run(&["definition", "list", "-q"]).ok();
    assert_eq!(listed.text(), "greet\nother\n");
    let versions = cluster.run(&["definition", "history", "greet", "-q"]).ok();
    assert_eq!(versions.text(), "greet@2\ngreet@1\n");
    let first = cluster
        .run(&["definition", "show", "greet@1", "--text"])
        .ok();
    assert_eq!(first.text(), definition("hello"));
    let shown = cluster.run(&["definition", "show", "greet@1"]).ok().text();
    assert!(
        shown.contains("greet@1") && shown.contains("the first"),
        "{shown}"
    );
    let diff = cluster.run(&["definition", "diff", "greet"]).ok().text();
    for part in [
        "--- greet@1",
        "+++ greet@2",
        "-input = \"hello\"",
        "+input = \"good day\"",
    ] {
        assert!(diff.contains(part), "'{part}' is not in: {diff}");
    }
    let back = cluster.json(&["definition", "diff", "greet@2", "@1"]);
    assert!(
        back["text"]
            .as_str()
            .unwrap()
            .contains("+input = \"hello\"")
    );
    let equal = cluster.run(&["definition", "diff", "greet", "other"]).ok();
    assert_eq!(equal.text(), "greet@2 and other@1 are equal\n");

    // The file is not needed any more, nor is this primary.
    fs::remove_file(&path).unwrap();
    cluster.kill_primary();
    cluster.start_primary();
    cluster.wait_for_workers(1);
    for (name, version, says) in [("greet", 2, "good day"), ("greet@1", 1, "hello")] {
        let run = cluster.run(&["submit", name, "--wait"]).ok();
        assert_eq!(run.text().trim(), format!("\"{says}\""), "{name}");
        let job = cluster.json(&["show", "latest"]);
        assert_eq!(job["definition"]["version"], version, "{job}");
    }
    let story = cluster.run(&["show", "latest"]).ok().text();
    assert!(story.contains("greet@1"), "{story}");
    let many = cluster.json(&["submit", "greet", "greet@1", "other", "--wait"]);
    assert_eq!(many["items"].as_array().unwrap().len(), 3);
}

#[test]
fn what_is_removed_goes_on_in_its_jobs() {
    let cluster = Cluster::start(Options::default());
    let odd = task("fixtures/odd").display().to_string();
    let text = format!(
        "[task]\nmodule = {{ path = \"{odd}\" }}\narray = {{ range = [0, 4] }}\ninput = {{ do = \"spin\", ms = 300, value = 7 }}\n"
    );
    let path = file(&cluster, "spin.toml", &text);
    let module = &cluster.json(&["definition", "apply", &path, "--name", "spin"])["modules"];
    let module = module.as_object().unwrap().values().next().unwrap();
    let module = module.as_str().unwrap().to_owned();
    let job = cluster.json(&["submit", "spin"])["id"].clone();
    let job = job.as_str().unwrap();
    let said = refused(&cluster, &["module", "remove", &module], 5);
    assert!(
        said.contains("uses the module") || said.contains("'spin'"),
        "{said}"
    );
    cluster.json(&["definition", "remove", "spin"]);
    assert_eq!(cluster.finish(job)["state"], "succeeded");
    assert_eq!(cluster.json(&["show", job])["definition"]["name"], "spin");
    let said = refused(&cluster, &["submit", "spin"], 3);
    assert!(said.contains("no stored definition 'spin'"), "{said}");
    cluster.json(&["module", "remove", &module]);
    // What was removed begins where it ended.
    let again = cluster.json(&["definition", "apply", &path, "--name", "spin"]);
    assert_eq!(again["version"], 2);
}

#[test]
fn what_cannot_be_stored_or_found_is_refused() {
    let cluster = Cluster::start(Options {
        workers: 0,
        ..Options::default()
    });
    let good = file(&cluster, "good.toml", &definition("x"));
    let bad = file(&cluster, "bad.toml", "[task]\nmodul = \"echo\"\n");
    let unknown = file(&cluster, "unknown.toml", "[task]\nmodule = \"nobody\"\n");
    cluster.json(&["definition", "apply", &good]);
    for (args, code, says) in [
        (&["definition", "apply", &bad][..], 5, "modul"),
        (&["definition", "apply", &unknown], 5, "nobody"),
        (&["definition", "apply", "gone.toml"], 1, "gone.toml"),
        (
            &["definition", "apply", &good, "--name", "a b"],
            5,
            "letters",
        ),
        (
            &["definition", "apply", &good, "--name", "a.toml"],
            5,
            ".toml",
        ),
        (&["definition", "show", "none"], 3, "none"),
        (&["definition", "show", "greet@7"], 3, "Versions 1 to 1"),
        (&["definition", "show", "greet@0"], 2, "NAME@VERSION"),
        (&["definition", "history", "none"], 3, "none"),
        (&["definition", "diff", "greet"], 3, "no version before"),
        (&["definition", "diff", "greet", "@x"], 2, "NAME@VERSION"),
        (&["definition", "remove", "none"], 3, "none"),
        (&["submit", "none"], 3, "none"),
        (&["submit", "greet@2"], 3, "Versions 1 to 1"),
        (
            &["submit", "a@b"],
            2,
            "neither a file nor a stored definition",
        ),
        (&["submit", "greet", "none"], 3, "none"),
    ] {
        let said = refused(&cluster, args, code);
        assert!(said.contains(says), "{args:?}: '{says}' is not in: {said}");
    }
    assert_eq!(
        cluster.json(&["jobs"])["items"].as_array().unwrap().len(),
        0
    );
    // A file of the name is taken for it, and that is said.
    fs::write(cluster.dir().join("greet"), definition("file")).unwrap();
    let run = cluster.run(&["submit", "greet"]).ok();
    assert!(run.stderr.contains("./greet"), "{}", run.stderr);
    assert!(
        run.stderr.contains("no worker is connected"),
        "{}",
        run.stderr
    );
    assert_eq!(cluster.json(&["show", "latest"]).get("definition"), None);
}

/// A worker that offers 1 GiB.
fn small_worker(cluster: &mut Cluster) {
    let token = cluster.json(&["token", "create", "--worker"]);
    let address = cluster.worker_address();
    let args = [
        "run-worker",
        "--name",
        "w0",
        "--memory",
        "1GiB",
        "--primary",
        &address,
    ];
    let mut command = cluster.command(&args);
    command
        .env("WASMHOST_DATA_DIR", cluster.dir().join("small"))
        .env("WASMHOST_JOIN_TOKEN", token["secret"].as_str().unwrap());
    let worker = Process::start("small", cluster.dir(), &mut command);
    cluster.workers.push(Some(worker));
    cluster.wait_for_workers(1);
}

#[test]
fn what_no_worker_could_run_is_refused() {
    let mut cluster = Cluster::start(Options {
        workers: 0,
        ..Options::default()
    });
    let path = file(
        &cluster,
        "large.toml",
        &format!("{}limits = {{ memory = \"2GiB\" }}\n", definition("x")),
    );
    // Nobody is there: the first to come may have enough.
    let job = cluster.json(&["submit", &path]);
    cluster.json(&["cancel", job["id"].as_str().unwrap()]);
    small_worker(&mut cluster);

    let said = refused(&cluster, &["submit", &path], 5);
    for part in [
        "'task'",
        "2.0 GiB",
        "'w0'",
        "1.0 GiB",
        "--wait-for-capacity",
    ] {
        assert!(said.contains(part), "'{part}' is not in: {said}");
    }
    let small = file(&cluster, "small.toml", &definition("x"));
    let said = refused(&cluster, &["submit", &small, &path], 5);
    assert!(said.contains("large.toml: no worker can run"), "{said}");
    let run = cluster.run(&["submit", &path, "--output", "json"]);
    let problem: Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(problem["code"], "no_capacity");
    let taken = cluster.json(&["submit", &path, "--wait-for-capacity", "--key", "k"]);
    // A repetition gets the first job, although it would be refused now.
    let again = cluster.json(&["submit", &path, "--key", "k"]);
    assert_eq!(taken["id"], again["id"]);
}

/// A definition that asks for a text, a number and a file.
fn asking() -> String {
    let echo = task("echo").display().to_string();
    format!(
        r#"[job]
name = "ask"
description = "Says what it is given"
[params.who]
type = "text"
help = "Whom to greet"
[params.top]
type = "integer"
default = 3
min = 1
max = 9
[params.tone]
type = "choice"
choices = ["warm", "cold"]
default = "warm"
[params.data]
type = "file"
default = "data.txt"
[task]
module = {{ path = "{echo}" }}
input = {{ who = "${{params.who}}", top = "${{params.top}}" }}
"#
    )
}

#[test]
fn jobs_take_parameters() {
    let cluster = Cluster::start(Options::default());
    let path = file(&cluster, "ask.toml", &asking());
    file(&cluster, "data.txt", "the default");
    let values = file(&cluster, "values.toml", "who = 'Ada'\ntop = 5\n");
    let other = file(&cluster, "other.txt", "another");
    cluster.json(&["definition", "apply", &path]);
    for name in [path.as_str(), "ask", "ask@1"] {
        let check = |args: &[&str], want: &str| {
            let args = [&["submit", name, "--wait"][..], args].concat();
            let run = cluster.run(&args).ok();
            let got: Value = serde_json::from_slice(&run.stdout).unwrap();
            assert_eq!(got.to_string(), want, "{args:?}");
        };
        check(&["-p", "who=Ada"], r#"{"top":3,"who":"Ada"}"#);
        check(
            &["-p", "who=a=b", "-p", "top=9"],
            r#"{"top":9,"who":"a=b"}"#,
        );
        check(&["--params", &values], r#"{"top":5,"who":"Ada"}"#);
        let wins = ["--params", &values, "-p", "top=1"];
        check(&wins, r#"{"top":1,"who":"Ada"}"#);
        let data = format!("data={other}");
        check(&["-p", "who=x", "-p", &data], r#"{"top":3,"who":"x"}"#);

        let help = cluster.run(&["submit", name, "--help"]).ok().text();
        for part in [
            "Says what it is given",
            "who=<text>",
            "Whom to greet",
            "[required]",
            "top=<integer>",
            "from 1 to 9",
            "[default: 3]",
            "one of warm, cold",
        ] {
            assert!(help.contains(part), "'{part}' is not in: {help}");
        }
        let jobs = || {
            cluster.json(&["jobs", "--all"])["items"]
                .as_array()
                .unwrap()
                .len()
        };
        let before = jobs();
        let dry = cluster.json(&["submit", name, "-p", "who=x", "--dry-run"]);
        assert_eq!(dry["name"], "ask");
        for (args, code, says) in [
            (&[][..], 5, "`who` is missing"),
            (
                &["-p", "who=x", "-p", "top=10"],
                5,
                "`top` must be at most 9",
            ),
            (&["-p", "who=x", "-p", "tone=hot"], 5, "tone"),
            (&["-p", "woh=x"], 5, "`woh`"),
            (&["-p", "who=x", "-p", "data=gone.txt"], 1, "gone.txt"),
            (&["-p", "who=x", "-p", "who=y"], 2, "given twice"),
            (&["-p", "who"], 2, "NAME=VALUE"),
            (&["--params", "gone.toml"], 2, "gone.toml"),
            (&["-p", "top=0", "--dry-run"], 5, "top"),
            (&[name, "-p", "who=x"], 2, "--param"),
        ] {
            let args = [&["submit", name][..], args].concat();
            let said = refused(&cluster, &args, code);
            assert!(said.contains(says), "{args:?}: '{says}' is not in: {said}");
        }
        assert_eq!(jobs(), before, "nothing was submitted");
    }
    let job = cluster.json(&["submit", "ask", "-p", "who=Ada"]);
    assert_eq!(job["params"]["tone"], "warm", "{job}");
    let story = cluster.run(&["show", "latest"]).ok().text();
    assert!(story.contains("who = \"Ada\""), "{story}");
    let help = cluster.run(&["submit", "--help"]).ok().text();
    assert!(help.contains("--wait-for-capacity"), "{help}");
    fs::write(cluster.dir().join("bad.json"), "{").unwrap();
    let said = refused(&cluster, &["submit", "ask", "--params", "bad.json"], 2);
    assert!(said.contains("bad.json"), "{said}");
}
