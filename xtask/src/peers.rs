//! `peers`: the same two measures of wasmhost and of other systems, one after
//! another on this machine; a table and `target/bench/peers.json`. How a peer is
//! installed and measured is its script's in `xtask/peers`.

use crate::repository::Repository;
use crate::{build_tasks, steps};
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// What all others are compared with; always measured.
const OURS: &str = "wasmhost";
/// The others, each with a script of its name.
const PEERS: &[&str] = &[
    "process",
    "wasmtime",
    "hyperqueue",
    "dask",
    "ray",
    "celery",
    "graphile",
    "postgres",
];
/// A script ends so when its peer is not here and cannot be installed.
const ABSENT: i32 = 3;
/// Seconds for the measures of one peer; then it is ended.
const PATIENCE: &str = "900";
/// Seconds for an orderly end after that.
const GRACE: &str = "30";

/// Measures the named peers, all when none is named.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|n| !PEERS.contains(n) && **n != OURS) {
        bail!(
            "there is no peer '{unknown}': there are {}",
            PEERS.join(", ")
        );
    }
    let wanted = |name: &&str| names.is_empty() || names.contains(name);
    let others = PEERS.iter().copied().filter(wanted);
    let chosen: Vec<&str> = std::iter::once(OURS).chain(others).collect();

    let repository = Repository::open()?;
    if std::env::var_os("WASMHOST").is_none() {
        let args = ["build", "--release", "--workspace", "--bin", "wasmhost"];
        steps::run(steps::cargo().args(args))?;
    }
    build_tasks::run(&["fixtures/noop"])?;

    // All before the first measure: installing takes the machine for itself.
    let mut here = Vec::new();
    let mut without = Vec::new();
    for name in chosen {
        eprintln!("==> {name}: install");
        let status = script(&repository, name, "install").status()?;
        match end(status) {
            End::Well => here.push(name),
            End::Absent => without.push(format!("{name}: not here and not installed, see above")),
            End::Badly => without.push(format!("{name}: installing it ended with {status}")),
        }
    }
    let mut lines = Vec::new();
    for name in here {
        eprintln!("==> {name}: measure");
        match measure(&repository, name) {
            Ok(line) => lines.push(line),
            Err(error) => without.push(format!("{name}: {error:#}")),
        }
    }

    let lines = compare(lines);
    let file = write(&repository.target, &lines)?;
    print!("{}", table(&lines));
    for line in &without {
        println!("without {line}");
    }
    println!("{}", file.display());
    match lines.is_empty() {
        true => bail!("nothing was measured"),
        false => Ok(()),
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn script(repository: &Repository, name: &str, what: &str) -> Command {
    let mut command = Command::new("bash");
    command
        .arg(scripts().join(format!("{name}.sh")))
        .arg(what)
        .env("PEERS_DIR", repository.target.join("peers"))
        // Data is on standard output, and only of `run`.
        .stdout(Stdio::null());
    command
}

enum End {
    Well,
    Absent,
    Badly,
}

fn end(status: ExitStatus) -> End {
    match status.code() {
        Some(0) => End::Well,
        Some(ABSENT) => End::Absent,
        _ => End::Badly,
    }
}

/// Runs a peer's measures: its line, and how busy the machine was before.
fn measure(repository: &Repository, name: &str) -> Result<Map<String, Value>> {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|l| l.parse::<f64>().ok());
    let script = script(repository, name, "run");
    let mut limited = Command::new("timeout");
    limited.args(["--foreground", "--kill-after", GRACE, PATIENCE]);
    limited.arg(script.get_program()).args(script.get_args());
    limited.envs(script.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let output = limited
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start timeout (of coreutils)")?;
    if !output.status.success() {
        bail!("measuring it ended with {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut line: Map<String, Value> = serde_json::from_str(text.trim())
        .with_context(|| format!("it printed something else than one line of JSON: {text}"))?;
    line.insert("load".into(), json!(load));
    Ok(line)
}

/// Adds to each line how many times its throughput ours is.
fn compare(mut lines: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    let rate = |line: &Map<String, Value>| line.get("tasks_per_second").and_then(Value::as_f64);
    let ours = lines
        .iter()
        .find(|line| line["peer"] == OURS)
        .and_then(rate);
    for line in &mut lines {
        let ratio = ours.zip(rate(line)).map(|(ours, theirs)| ours / theirs);
        line.insert("ratio".into(), json!(ratio));
    }
    lines
}

fn write(target: &Path, lines: &[Map<String, Value>]) -> Result<PathBuf> {
    let folder = target.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let file = folder.join("peers.json");
    let text = serde_json::to_string_pretty(&json!({ "peers": lines }))?;
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn table(lines: &[Map<String, Value>]) -> String {
    let mut text = format!(
        "{:<11} {:>7} {:>9} {:>9} {:>8} {:>8} {:>5}  {}\n",
        "peer", "tasks", "tasks/s", "wasmhost", "p50 ms", "p99 ms", "load", "durable"
    );
    for line in lines {
        let number = |key: &str, digits: usize| match line.get(key).and_then(Value::as_f64) {
            Some(number) => format!("{number:.digits$}"),
            None => "–".into(),
        };
        let word = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or("–");
        text += &format!(
            "{:<11} {:>7} {:>9} {:>8}× {:>8} {:>8} {:>5}  {}\n",
            word("peer"),
            number("tasks", 0),
            number("tasks_per_second", 0),
            number("ratio", 2),
            number("latency_p50_ms", 2),
            number("latency_p99_ms", 2),
            number("load", 1),
            word("durable"),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a program reads a file without complaint; true when the program is not here.
    fn parses(program: &str, args: &[&str], file: &Path) -> bool {
        match Command::new(program).args(args).arg(file).status() {
            Ok(status) => status.success(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    #[test]
    fn every_peer_has_a_script_and_every_script_parses() -> Result<()> {
        const PYTHON: &str = "import ast, sys; ast.parse(open(sys.argv[1]).read())";
        for name in PEERS.iter().chain([&OURS]) {
            for file in [format!("{name}.sh"), format!("{name}_peer.py")] {
                assert!(scripts().join(&file).is_file(), "there is no {file}");
            }
        }
        for entry in fs::read_dir(scripts())? {
            let file = entry?.path();
            let good = match file.extension().and_then(|e| e.to_str()) {
                Some("sh") => parses("bash", &["-n"], &file),
                Some("py") => parses("python3", &["-c", PYTHON], &file),
                Some("mjs") => parses("node", &["--check"], &file),
                _ => false,
            };
            assert!(good, "{} is no script that parses", file.display());
        }
        Ok(())
    }

    #[test]
    fn throughput_is_compared_with_ours() {
        let line = |peer: &str, rate: f64| {
            let line = json!({ "peer": peer, "tasks_per_second": rate });
            line.as_object().cloned().unwrap_or_default()
        };
        let lines = compare(vec![line(OURS, 1000.0), line("ray", 250.0)]);
        assert_eq!(lines[1]["ratio"], 4.0);
        assert!(table(&lines).contains("4.00×"), "{}", table(&lines));
        let alone = compare(vec![line("ray", 250.0)]);
        assert_eq!(alone[0]["ratio"], Value::Null);
    }
}
