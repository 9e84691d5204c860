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
