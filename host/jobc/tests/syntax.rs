//! Mistakes of scripts that are found without running them, and what is none.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use wasmhost_jobc::{Engine, script};
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::limits::{MAX_SCRIPT, MAX_SCRIPT_TOKENS};

fn check(engine: Engine, text: &str) -> Option<Diagnostic> {
    script::check(engine, "x", text.as_bytes())
}

/// `syntax.txt`: a line `=== LANGUAGE title`, and a script below it.
#[test]
fn bad_scripts() {
    let cases = include_str!("syntax.txt").split("=== ").skip(1);
    let mut shown = String::new();
    let mut count = 0;
    for case in cases {
        let (title, text) = case.split_once('\n').unwrap_or_default();
        let name = title.split(' ').next().unwrap_or_default();
        let engine = Engine::ALL.into_iter().find(|e| e.name() == name);
        let engine = engine.unwrap_or_else(|| panic!("{title}"));
        let mistake = check(engine, text).unwrap_or_else(|| panic!("{title} is right"));
        let at = mistake
            .span
            .unwrap_or_else(|| panic!("{title} has no place"));
        let part = &text[at.start..at.end];
        let (code, message) = (mistake.code, mistake.message);
        let _ = writeln!(
            shown,
            "=== {title}\n{}:{} {part:?} {code}: {message}",
            at.line, at.column
        );
        if let Some(help) = mistake.help {
            let _ = writeln!(shown, "    help: {help}");
        }
        count += 1;
    }
    assert!(count >= 20, "{count} cases");
    insta::assert_snapshot!(shown);
}

#[test]
fn good_scripts() {
    for (engine, text) in [
        (Engine::Js, "export default (x) => x"),
        (
            Engine::Js,
            "export default async function (a) { await a?.b ?? 1n }",
        ),
        (Engine::Js, "const f = (x) => x;\nexport { f as default };"),
        (
            Engine::Js,
            "#!/usr/bin/env js\nawait null; export default class { static #x = 1 }",
        ),
        (
            Engine::Js,
            "export default function* (x) { yield* x; /[/]\\/(?<n>a)/u.test(`${x}`) }",
        ),
        (Engine::Rhai, ""),
        (Engine::Rhai, "fn main(x) { host.progress(1); `a${x}` }"),
        (Engine::Rhai, "input.map(|v| v * 2).len()"),
        (Engine::Python, "def ((("),
    ] {
        assert_eq!(check(engine, text), None, "{text}");
    }
}

/// What the documents show and the examples run.
#[test]
fn examples_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut seen = 0;
    let mut right = |engine: Engine, text: &str, what: &str| {
        assert_eq!(check(engine, text), None, "{what}\n{text}");
        seen += 1;
    };
    let page = std::fs::read_to_string(root.join("docs/scripts.md")).unwrap();
    for (fence, engine) in [("```js\n", Engine::Js), ("```rhai\n", Engine::Rhai)] {
        for rest in page.split(fence).skip(1) {
            right(engine, rest.split("```").next().unwrap(), "docs/scripts.md");
        }
    }
    let mut folders: Vec<PathBuf> = vec![root.join("tasks/examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let engine = path.to_str().and_then(Engine::of);
            match engine {
                _ if path.is_dir() => folders.push(path),
                Some(engine) => right(
                    engine,
                    &std::fs::read_to_string(&path).unwrap(),
                    path.to_str().unwrap(),
                ),
                None => {}
            }
        }
    }
    assert!(seen >= 3, "{seen} scripts");
}

#[test]
fn files_that_are_no_scripts() {
    let of = |content: &[u8]| script::check(Engine::Js, "a.js", content).unwrap();
    let binary = of(b"let \xff = 1;");
    assert_eq!((binary.code.as_str(), binary.span), ("script-syntax", None));
    assert!(binary.message.contains("at byte 4"), "{binary:?}");
    let large = of(&vec![b' '; MAX_SCRIPT + 1]);
    assert_eq!(
        (large.code.as_str(), large.file.as_deref()),
        ("too-large", Some("a.js"))
    );
}

/// What nests, in either language.
const NESTING: [&str; 44] = [
    "(",
    "[",
    "{",
    "!",
    "-",
    "a=",
    "a=>",
    "(a)=>",
    "a?",
    "a?a:",
    "a+",
    "a,",
    "a.",
    "a**",
    "f(",
    "new ",
    "typeof ",
    "await ",
    "if(a)",
    "if(a)a;else ",
    "for(;;)",
    "a:",
    "`${",
    "x=>{",
    "class{a=",
    "class extends ",
    "function(){",
    "async()=>",
    "async(",
    "[...",
    "({a:",
    "a[",
    "()",
    "do ",
    "throw ",
    "|x|",
    "#{a:",
    "switch a{1=>",
    "try{",
    "while a{",
    "fn a(){",
    "1in ",
    "/(?:",
    "/(?:(?:(?:(?:(?:(?:(?:(?:",
];

#[test]
fn deep_scripts_harm_nobody() {
    let signs = |text: &str| text.bytes().filter(u8::is_ascii_punctuation).count();
    let words = |text: &str| {
        text.split(|c: char| !c.is_alphabetic())
            .filter(|w| !w.is_empty())
            .count()
    };
    for pattern in NESTING {
        let many = pattern.repeat((MAX_SCRIPT_TOKENS - 8) / (signs(pattern) + words(pattern)));
        for engine in [Engine::Js, Engine::Rhai] {
            // It is enough that this comes back.
            let _ = check(engine, &format!("let x = {many}1"));
        }
    }
    let large = "a;".repeat(MAX_SCRIPT / 2 - 1) + "(";
    assert_eq!(check(Engine::Js, &large), None, "too large to be looked at");
}

/// Constants that would be folded into gigabytes.
#[test]
fn checking_computes_nothing() {
    let mut text = "const a0 = \"aaaaaaaaaaaaaaaa\";\n".to_owned();
    for n in 0..60 {
        let _ = writeln!(text, "const a{} = a{n} + a{n};", n + 1);
    }
    assert_eq!(check(Engine::Rhai, &text), None);
}

/// What is accepted here is what the engines accept: the versions are the same.
#[test]
fn parsers_are_those_of_the_engines() {
    let here = include_str!("../../../Cargo.lock");
    let engines = include_str!("../../../tasks/engines/Cargo.lock");
    for name in ["boa_ast", "boa_interner", "boa_parser", "regress", "rhai"] {
        let version = |lock: &str| -> Vec<String> {
            let head = format!("name = \"{name}\"\n");
            let found = lock.split(&head).skip(1);
            found
                .map(|rest| rest.lines().next().unwrap_or_default().to_owned())
                .collect()
        };
        assert_eq!(version(here), version(engines), "{name}");
        assert_eq!(version(here).len(), 1, "{name}");
    }
}
