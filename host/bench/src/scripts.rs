//! Scenarios of scripts: how soon one that nobody has seen has run, and what an attempt
//! of a small one costs, on its engine and as a module of its own.

use crate::cluster::{Cluster, Options, push, submission, submit, warm_up};
use crate::http::Client;
use crate::place::Place;
use crate::report::quantile;
use crate::sandbox::Ours;
use crate::scenario::{Better, Figure, Group, Run, Sample, Target};
use anyhow::{Context, Result, bail};
use std::sync::Arc;
use std::time::Instant;
use wasmhost_proto::executor::RunScript;
use wasmhost_proto::module::ModuleKind;
use wasmhost_sandbox::Standalones;

/// New scripts in one run.
const SCRIPTS: usize = 20;
/// The same that are made modules: each is compiled by the worker.
const MODULES: usize = 2;
/// Attempts in one run.
const ATTEMPTS: u32 = 500;

const fn first(name: &'static str, what: &'static str) -> Figure {
    Figure {
        name,
        unit: "ms",
        better: Better::Lower,
        target: Some(Target::Median(50.0)),
        what,
    }
}

const fn attempt(name: &'static str, what: &'static str) -> Figure {
    Figure {
        name,
        unit: "ms",
        better: Better::Lower,
        target: Some(Target::Median(2.0)),
        what,
    }
}

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[
            first(
                "script-first-js",
                "a script in JavaScript that nobody has seen, submit to result, its engine compiled",
            ),
            Figure::ms(
                "script-first-js-standalone",
                "the same made a module of its own: made, pushed, compiled, run; the maker's engine compiled",
            ),
        ],
        runs: 5,
        set_up: |place| first_result(place, JS),
    },
    Group {
        figures: &[
            first("script-first-rhai", "the same in Rhai"),
            Figure::ms("script-first-rhai-standalone", "the same in Rhai"),
        ],
        runs: 5,
        set_up: |place| first_result(place, RHAI),
    },
    Group {
        figures: &[
            attempt(
                "script-attempt-js",
                "processor time of an attempt of `x => x + 1` in JavaScript, by the sandbox",
            ),
            attempt(
                "script-attempt-js-standalone",
                "the same as a module of its own",
            ),
        ],
        runs: 5,
        set_up: |place| attempts(place, JS),
    },
    Group {
        figures: &[
            attempt("script-attempt-rhai", "the same in Rhai"),
            attempt("script-attempt-rhai-standalone", "the same in Rhai"),
        ],
        runs: 5,
        set_up: |place| attempts(place, RHAI),
    },
];

/// A language, and a small script in it that adds a number to its input.
#[derive(Clone, Copy)]
struct Language {
    name: &'static str,
    script: fn(u64) -> String,
}

const JS: Language = Language {
    name: "js",
    script: |n| format!("export default (x) => x + {n}"),
};

const RHAI: Language = Language {
    name: "rhai",
    script: |n| format!("fn main(x) {{ x + {n} }}"),
};

impl Language {
    fn engine(self, place: &Place) -> Result<Vec<u8>> {
        place.guest(&format!("engines/{}", self.name))
    }

    fn script(self, n: u64) -> RunScript {
        RunScript {
            name: format!("s.{}", self.name),
            source: (self.script)(n),
        }
    }
}

/// Numbers that no earlier script has added.
fn next(numbers: &mut u64) -> u64 {
    *numbers += 1;
    *numbers
}

fn first_result(place: &Place, language: Language) -> Result<Run> {
    let options = Options {
        workers: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    let engine = language.engine(place)?;
    push(&mut client, &format!("engine-{}", language.name), &engine)?;
    let mut numbers = 0;
    let inline = move |n| {
        let (name, text) = (language.name, (language.script)(n));
        format!("[task]\nscript = {{ {name} = '{text}' }}\ninput = 1\n")
    };
    warm_up(&mut client, &inline(next(&mut numbers)))?;
    // It lives as long as the program, as the set-up does.
    let makers = Standalones::new(Box::leak(engine.into_boxed_slice()))?;
    Ok(Box::new(move || {
        let mut times = Vec::new();
        for _ in 0..SCRIPTS {
            let n = next(&mut numbers);
            let body = submission(&inline(n));
            let start = Instant::now();
            result(&cluster, &mut client, &body, n + 1)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let mut alone = Vec::new();
        for _ in 0..MODULES {
            let n = next(&mut numbers);
            let start = Instant::now();
            let made = makers.make(language.script(n))?;
            let name = format!("alone-{n}");
            push(&mut client, &name, &made.module)?;
            let body = submission(&format!("[task]\nmodule = \"{name}\"\ninput = 1\n"));
            result(&cluster, &mut client, &body, n + 1)?;
            alone.push(start.elapsed().as_secs_f64() * 1e3);
        }
        [&mut times, &mut alone]
            .map(|times| {
                quantile(times, 0.5)
                    .map(Sample::alone)
                    .context("no scripts")
            })
            .into_iter()
            .collect()
    }))
}

/// Submits, and waits for a result, which is to be a number.
fn result(cluster: &Cluster, client: &mut Client, body: &[u8], want: u64) -> Result<()> {
    let job = submit(client, body)?;
    let path = format!("/api/v1/jobs/{job}/result?wait_ms=60000");
    let answer = client.call("GET", &path, b"")?;
    if answer.status != 200 || answer.body != want.to_string().as_bytes() {
        let text = String::from_utf8_lossy(&answer.body);
        bail!("{}: {text}\n{}", answer.status, cluster.explain());
    }
    Ok(())
}

fn attempts(place: &Place, language: Language) -> Result<Run> {
    let engine = language.engine(place)?;
    let script = language.script(1);
    let alone = Standalones::new(&engine)?.make(script.clone())?.module;
    let on_engine = Ours::new(place, &engine, ModuleKind::Task)?.with_script(Arc::new(script));
    let alone = Ours::new(place, &alone, ModuleKind::Task)?;
    // First touches of memory are dear and come once.
    let both = [on_engine, alone];
    for ours in &both {
        ours.run(b"1", ATTEMPTS / 5)?;
    }
    Ok(Box::new(move || {
        let sample = |ours: &Ours| {
            let time = ours.run(b"1", ATTEMPTS)?.as_secs_f64() * 1e3;
            Ok(Sample::alone(time / f64::from(ATTEMPTS)))
        };
        both.iter().map(sample).collect()
    }))
}
