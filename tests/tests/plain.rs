//! Programs that know nothing of wasmhost: built for WASI 0.2 and for preview 1,
//! run with arguments and standard input; output and exit code come back.
#![allow(clippy::unwrap_used)]

use wasmhost_tests::{Cluster, Options, task};

#[test]
fn plain_programs_run_as_they_are() {
    let cluster = Cluster::start(Options::default());
    for (target, kind) in [
        ("fixtures/plain", "command"),
        ("fixtures/plain-p1", "core_command"),
    ] {
        let file = task(target);
        let pushed = cluster.json(&["module", "push", &file.to_string_lossy(), "--name", "plain"]);
        assert_eq!(pushed["kind"], kind);
        let digest = pushed["digest"].as_str().unwrap();
        let run = cluster.run(&[
            "submit",
            "--module",
            digest,
            "--arg",
            "--env",
            "--arg",
            "COLOUR",
            "--env",
            "COLOUR=green",
            "--arg",
            "two words",
            "--input",
            "from stdin",
            "--wait",
        ]);
        assert_eq!(run.code, 0, "{}{}", run.stderr, cluster.explain());
        assert_eq!(
            run.text().trim_end(),
            "env COLOUR=green\narg two words\nfrom stdin",
            "{target}"
        );

        let run = cluster.run(&[
            "submit", "--module", digest, "--arg", "--exit", "--arg", "7", "--wait",
        ]);
        assert_eq!(run.code, 1, "a failed job is not exit 0");
        // WASI 0.2 tells success from failure and nothing more.
        let code = if kind == "command" { 1 } else { 7 };
        assert!(
            run.stderr.contains(&format!("code {code}")),
            "{}",
            run.stderr
        );
        let job = cluster.json(&["jobs"])["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let view = cluster.finish(&job);
        assert_eq!(view["failure"]["failure"]["exit_code"], code, "{view}");
    }
}

/// A program whose imports are told: of preview 1 by function, in groups.
#[test]
fn an_explanation_tells_what_a_program_imports() {
    let mut cluster = Cluster::start(Options::default());
    let file = cluster.dir().join("plain.toml");
    let module = task("fixtures/plain-p1");
    let text = format!(
        "[tasks.plain]\nmodule = {{ path = '{}' }}\n[tasks.stored]\nmodule = \"nowhere\"\nafter = [\"plain\"]\n",
        module.display()
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_string_lossy().into_owned();
    let run = cluster.run(&["explain", &file]);
    assert_eq!(run.code, 5, "a module that nobody pushed: {}", run.text());
    assert!(run.stderr.contains("unknown-module"), "{}", run.stderr);

    // Without a primary all but the store's modules is told.
    cluster.kill_primary();
    let run = cluster.run(&["explain", &file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("no primary answers"), "{}", run.stderr);
    let text = run.text();
    for part in [
        "plain-p1: 2 tasks in 2 steps",
        "command (preview 1)",
        "wasi_snapshot_preview1 (arguments and environment): ",
        "(open files and standard streams): ",
        "fd_write",
        "← sandbox",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let run = cluster.run(&["check", &file]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.stderr.contains("as far as it can be told"),
        "{}",
        run.stderr
    );
    let view = cluster.json(&["explain", &file]);
    let imports = view["nodes"][0]["imports"].as_array().unwrap();
    assert!(
        imports
            .iter()
            .all(|import| import["by"] == "sandbox" || import["grant"].is_string())
    );
}
