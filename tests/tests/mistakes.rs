//! Mistakes as people see them: in the lines of scripts, parameters, modules as text and
//! stored definitions, wherever they are made, with a primary and without.
#![allow(clippy::unwrap_used)]

use std::fs;
use wasmhost_tests::{Cluster, Options, task};

fn cluster() -> Cluster {
    Cluster::start(Options {
        workers: 0,
        ..Options::default()
    })
}

/// Writes files into the cluster's folder, where commands are run.
fn write(cluster: &Cluster, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(cluster.dir().join(name), text).unwrap();
    }
}

/// Runs a command that is refused, and says all of it.
fn refused(cluster: &Cluster, args: &[&str], parts: &[&str]) {
    let run = cluster.run(args);
    assert_eq!(run.code, 5, "{args:?}: {}{}", run.text(), run.stderr);
    for part in parts {
        assert!(
            run.stderr.contains(part),
            "{args:?}: {part}\n{}",
            run.stderr
        );
    }
}

#[test]
fn scripts_are_read_before_anything_runs() {
    let mut cluster = cluster();
    write(
        &cluster,
        &[
            (
                "job.toml",
                "[tasks.a]\nscript = \"report.js\"\n[tasks.b]\nscript = \"sum.rhai\"\n\
                 [tasks.c]\nscript = \"report.js\"\n",
            ),
            ("report.js", "export default (x) => {\n  let y = ;\n};\n"),
            ("sum.rhai", "fn main(x) {\n  x +\n}\n"),
            (
                "inline.toml",
                "[task]\nscript = { js = \"\"\"\nimport a from \"a\";\n\"\"\" }\n",
            ),
        ],
    );
    let both = [
        "report.js:2:11",
        "let y = ;",
        "script-syntax",
        "sum.rhai:3:1",
    ];
    let inline = ["script-import", "inline.toml:3:15", "import a from \"a\";"];
    let all = |cluster: &Cluster| {
        for verb in [
            &["check"][..],
            &["explain"],
            &["submit"],
            &["definition", "apply"],
        ] {
            refused(cluster, &[verb, &["job.toml"]].concat(), &both);
            refused(cluster, &[verb, &["inline.toml"]].concat(), &inline);
        }
    };
    all(&cluster);
    let run = cluster.run(&["check", "job.toml", "--output", "json"]);
    let told: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(told["errors"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(told["errors"][0]["file"], "report.js");
    assert_eq!(told["errors"][0]["span"]["line"], 2);
    cluster.kill_primary();
    for (file, parts) in [("job.toml", &both[..]), ("inline.toml", &inline)] {
        refused(&cluster, &["check", file], parts);
    }
}

#[test]
fn parameters_are_told_where_they_are_given() {
    let mut cluster = cluster();
    let echo = task("echo").display().to_string();
    let text = format!(
        "[params.rows]\ntype = \"integer\"\nmax = 9\n[params.day]\ntype = \"date\"\n\
         [tasks.a]\nmodule = {{ path = \"{echo}\" }}\n\
         array = {{ range = [0, \"${{params.rows}}\"] }}\ninput = \"${{params.day}}\"\n"
    );
    write(
        &cluster,
        &[
            ("job.toml", &text),
            ("p.toml", "# of today\nday = 'soon'\n"),
        ],
    );
    let wrong = ["-p", "rows=10", "--params", "p.toml"];
    let parts = [
        "-p rows=10",
        "the command line:1:9",
        "p.toml:2:7",
        "not \"soon\"",
    ];
    let right = ["-p", "rows=3", "-p", "day=2026-01-31"];
    cluster
        .run(&["definition", "apply", "job.toml", "--name", "days"])
        .ok();
    for name in ["job.toml", "days", "days@1"] {
        for verb in ["check", "explain", "submit"] {
            refused(&cluster, &[&[verb, name], &wrong[..]].concat(), &parts);
        }
        let run = cluster.run(&[&["explain", name], &right[..]].concat()).ok();
        assert!(run.text().contains("a × 3"), "{}", run.text());
        let run = cluster
            .run(&[&["check", name, "-q"], &right[..]].concat())
            .ok();
        assert_eq!(run.text(), "echo\n", "{name}");
        // What is missing is shown where it is asked for, also of a stored one.
        refused(
            &cluster,
            &["submit", name],
            &["missing-param", "[params.rows]"],
        );
        refused(
            &cluster,
            &["check", name, "-p", "rows=0"],
            &["empty-array", "range = [0"],
        );
    }
    cluster.kill_primary();
    let run = cluster
        .run(&[&["check", "job.toml"], &right[..]].concat())
        .ok();
    assert!(
        run.stderr.contains("as far as it can be told"),
        "{}",
        run.stderr
    );
    refused(
        &cluster,
        &[&["check", "job.toml"], &wrong[..]].concat(),
        &parts,
    );
    let run = cluster.run(&["check", "days"]);
    assert_eq!(run.code, 6, "only a primary has it: {}", run.stderr);
}

/// The name stands for what it stood for when the key was given first.
#[test]
fn a_key_gives_the_job_of_the_first_version() {
    let cluster = cluster();
    let echo = task("echo").display().to_string();
    let text = |more: &str| {
        format!(
            "[params.n]\ntype = \"integer\"\n{more}[task]\nmodule = {{ path = \"{echo}\" }}\n\
             input = \"${{params.n}}\"\n"
        )
    };
    let apply = |more: &str| {
        write(&cluster, &[("job.toml", &text(more))]);
        cluster
            .run(&["definition", "apply", "job.toml", "--name", "n"])
            .ok();
    };
    apply("");
    let submit = ["submit", "n", "-p", "n=12", "--key", "k"];
    let first = cluster.json(&submit)["id"].clone();
    apply("max = 20\n");
    assert_eq!(cluster.json(&submit)["id"], first);
    // What the new version would refuse.
    apply("max = 9\n");
    assert_eq!(cluster.json(&submit)["id"], first);
    refused(&cluster, &["submit", "n", "-p", "n=12"], &["at most 9"]);
    let other = ["submit", "n", "-p", "n=1", "--key", "k"];
    refused(&cluster, &other, &["different one"]);
}

#[test]
fn modules_as_text_are_told_in_their_lines() {
    let cluster = cluster();
    write(
        &cluster,
        &[
            ("job.toml", "[task]\nmodule = { path = \"tool.wat\" }\n"),
            ("tool.wat", "(module\n  (func (exprot \"_start\")))\n"),
        ],
    );
    for args in [
        &["check", "job.toml"][..],
        &["submit", "job.toml"],
        &["module", "push", "tool.wat"],
        &["submit", "--module", "tool.wat"],
    ] {
        refused(
            &cluster,
            args,
            &["wat-syntax", "tool.wat:2:10", "(func (exprot"],
        );
    }
}
