//! Every command in README.md, CONTRIBUTING.md and docs/ is run here as it is
//! written, against a real cluster, with the crates and files that the pages
//! describe. A line of a new kind fails until it is run or said to run elsewhere.
#![allow(clippy::unwrap_used)]

mod commands;
mod place;

use commands::{ELSEWHERE, SPANS};
use place::Place;
use std::fs;
use std::path::{Path, PathBuf};
use wasmhost_tests::{Cluster, Options, task};

/// A fenced block: its language and its lines.
type Block<'a> = (&'a str, Vec<&'a str>);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn pages() -> Vec<(String, String)> {
    let root = repository();
    let mut paths = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    paths.extend(
        fs::read_dir(root.join("docs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "md")),
    );
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn page<'a>(pages: &'a [(String, String)], name: &str) -> &'a str {
    &pages.iter().find(|(n, _)| n == name).unwrap().1
}

/// The blocks of a page, and the lines outside of them.
fn parse(text: &str) -> (Vec<Block<'_>>, Vec<&str>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut open: Option<Block<'_>> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some((language, Vec::new())),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.1.push(line);
                open = Some(block);
            }
            (None, None) => prose.push(line),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    (blocks, prose)
}

/// What a reader would type of a block, without remarks.
fn typed(block: &Block<'_>) -> Vec<String> {
    let lines = block.1.iter().filter_map(|line| match block.0 {
        "sh" => Some(*line),
        "console" => line.strip_prefix("$ "),
        _ => None,
    });
    lines
        .map(|line| {
            line.split("  #")
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned()
        })
        .filter(|line| !line.is_empty())
        .collect()
}

/// The commands in running text, and in the first column of the table of verbs.
fn spans(prose: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut verbs = false;
    for line in prose {
        verbs = line.starts_with("| verb | what it does") || (verbs && line.starts_with('|'));
        let named = |span: &&str| verbs || span.starts_with("wasmhost ");
        let spans = line.split('`').skip(1).step_by(2);
        found.extend(spans.filter(named).map(str::to_owned));
    }
    found.retain(|span| !span.starts_with("--output"));
    found
}

/// The `n`th block of a language.
fn nth(text: &str, language: &str, n: usize) -> String {
    let (blocks, _) = parse(text);
    let block = blocks.iter().filter(|b| b.0 == language).nth(n).unwrap();
    // What rustdoc hides.
    let lines = block.1.iter().filter(|line| !line.starts_with("# "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A crate as a page describes it: its manifest's and its code's first blocks.
fn write_crate(folder: &Path, name: &str, text: &str) {
    let home = folder.join(name);
    fs::create_dir_all(home.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{}",
        nth(text, "toml", 0)
    );
    fs::write(home.join("Cargo.toml"), manifest).unwrap();
    fs::write(home.join("src/lib.rs"), nth(text, "rust", 0)).unwrap();
    // The versions that the repository was tested with.
    fs::copy(repository().join("Cargo.lock"), home.join("Cargo.lock")).unwrap();
}

/// Everything that the pages take for granted, in the folder of the cluster.
fn set_up(cluster: &Cluster, pages: &[(String, String)]) {
    let dir = cluster.dir();
    std::os::unix::fs::symlink(repository(), dir.join("wasmhost")).unwrap();
    write_crate(dir, "hello", page(pages, "README.md"));
    let sdk = page(pages, "docs/sdk.md");
    write_crate(dir, "shout", sdk);
    fs::write(dir.join("shout/job.toml"), nth(sdk, "toml", 1)).unwrap();
    fs::copy(task("fixtures/plain"), dir.join("hello.wasm")).unwrap();
    fs::write(dir.join("names.txt"), "Ada\nGrace\n").unwrap();
    let echo = task("echo").display().to_string();
    cluster.json(&["module", "push", &echo, "--name", "echo"]);
    let module = "[task]\nname = \"echo\"\nmodule = \"echo\"\n";
    fs::write(dir.join("one.toml"), format!("{module}input = \"1\"\n")).unwrap();
    let array = "array = { range = [0, 3] }\n";
    fs::write(dir.join("job.toml"), format!("{module}{array}")).unwrap();
    let asking = format!("[params.top]\ntype = \"integer\"\n{module}input = \"${{params.top}}\"\n");
    fs::write(dir.join("asking.toml"), asking).unwrap();
    for folder in [
        ".local/share/bash-completion/completions",
        ".zfunc",
        ".config/fish/completions",
    ] {
        fs::create_dir_all(dir.join("home").join(folder)).unwrap();
    }
}

/// What the names in [`SPANS`] stand for.
fn names(cluster: &Cluster) -> Vec<(&'static str, String)> {
    let id = |args: &[&str]| cluster.json(args)["id"].as_str().unwrap().to_owned();
    let token = cluster.json(&["token", "create"]);
    let token = token["token"]["id"].as_str().unwrap().to_owned();
    let odd = task("fixtures/odd").display().to_string();
    let failed = cluster.json(&[
        "submit",
        "--module",
        "hello.wasm",
        "--arg=--exit",
        "--arg=1",
    ]);
    let failed = failed["id"].as_str().unwrap().to_owned();
    assert_eq!(cluster.finish(&failed)["state"], "failed");
    let live = r#"{"do": "honour_cancel"}"#;
    vec![
        ("FAILED", failed),
        ("LIVE", id(&["submit", "--module", &odd, "--input", live])),
        ("ONE", id(&["submit", "one.toml", "--wait"])),
        ("JOB", id(&["submit", "job.toml", "--wait"])),
        ("TOKEN", token),
    ]
}

#[test]
fn every_command_in_the_documents_runs() {
    let pages = pages();
    let cluster = Cluster::start(Options {
        workers: 2,
        ..Options::default()
    });
    set_up(&cluster, &pages);
    let mut unused: Vec<&str> = ELSEWHERE.iter().map(|(line, _)| *line).collect();
    for (whence, text) in &pages {
        for block in parse(text).0 {
            let mut place = Place::new(&cluster);
            let mut lines = String::new();
            for line in typed(&block) {
                if ELSEWHERE.iter().any(|(known, _)| *known == line) {
                    unused.retain(|known| *known != line);
                    continue;
                }
                assert!(!line.starts_with("cargo "), "{whence}: who runs `{line}`?");
                if ["dev", "run-primary", "run-worker"]
                    .iter()
                    .any(|verb| line.split(' ').nth(1) == Some(verb))
                {
                    place.run(whence, &std::mem::take(&mut lines));
                    place.serve(&line);
                } else if place.servers.is_empty() {
                    lines += &format!("{line}\n");
                } else {
                    place.run(whence, &line);
                }
            }
            place.run(whence, &lines);
            place.end(whence);
        }
    }
    assert!(unused.is_empty(), "no page says {unused:?} any more");
}

#[test]
fn every_command_in_running_text_runs() {
    let pages = pages();
    let cluster = Cluster::start(Options {
        workers: 2,
        ..Options::default()
    });
    set_up(&cluster, &pages);
    let names = names(&cluster);
    let mut unused: Vec<&str> = SPANS.iter().map(|(span, _)| *span).collect();
    for (whence, text) in &pages {
        for span in spans(&parse(text).1) {
            let known = SPANS.iter().find(|(known, _)| *known == span);
            let Some((_, commands)) = known else {
                panic!("{whence}: say in SPANS what runs `{span}`");
            };
            if !unused.contains(&span.as_str()) {
                continue;
            }
            unused.retain(|known| *known != span);
            for command in *commands {
                let line = names
                    .iter()
                    .fold((*command).to_owned(), |line, (name, id)| {
                        line.replace(name, id)
                    });
                Place::new(&cluster).run(whence, &format!("wasmhost {line}"));
            }
        }
    }
    assert!(unused.is_empty(), "no page says {unused:?} any more");
}
