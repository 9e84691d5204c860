//! Feeds damaged definitions, conditions and modules to the compiler for a while:
//! `cargo xtask fuzz [SECONDS [SEED]]`. Never a panic, always an answer, places within
//! the text, and no case that takes long. Inputs that bring new answers join the
//! corpus. The same seed makes the same inputs.
#![allow(clippy::unwrap_used)]

mod inputs;

use inputs::{Corpus, Dice};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};
use wasmhost_jobc::module::{Hint, admit};
use wasmhost_jobc::{Ambiguous, Catalogue, ModuleFacts, check, condition, outline, parse, plan};
use wasmhost_proto::Digest;
use wasmhost_proto::api::{Diagnostic, SubmitRequest};
use wasmhost_proto::module::ModuleKind;

/// A case that takes longer is a finding: inputs are small.
const SLOW: Duration = Duration::from_secs(2);

/// What the latest panic said.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// A store in which every module is there.
struct Shelf;

impl Catalogue for Shelf {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        Some(ModuleFacts {
            digest,
            len: 1,
            kind: ModuleKind::Command,
        })
    }

    fn find(&self, _: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        Ok(self.digest(Digest([1; 32])))
    }

    fn imports(&self, _: Digest) -> Vec<String> {
        Vec::new()
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let seconds: u64 = words.next().map_or(60, |w| w.parse().unwrap());
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed: u64 = words.next().map_or_else(now, |w| w.parse().unwrap());
    println!("seed {seed}, {seconds} s");
    // The compiler itself catches what a library asserts: only what gets out is told.
    std::panic::set_hook(Box::new(|info| {
        let text = format!("{info}\n{}", std::backtrace::Backtrace::capture());
        *LAST_PANIC.lock().unwrap() = text;
    }));
    let mut dice = Dice(seed);
    let mut targets = [
        Target::new("definitions", Corpus::definitions(), definition),
        Target::new("conditions", Corpus::conditions(), condition),
        Target::new("modules", Corpus::modules(), module),
    ];
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        for target in &mut targets {
            target.round(seed, &mut dice);
        }
    }
    for target in &targets {
        target.tell();
    }
}

/// One thing that is fed.
struct Target {
    name: &'static str,
    corpus: Corpus,
    judge: fn(&[u8]) -> String,
    /// Answers seen; inputs with a new one join the corpus.
    seen: HashSet<String>,
    cases: u64,
    slowest: Duration,
}

impl Target {
    fn new(name: &'static str, corpus: Corpus, judge: fn(&[u8]) -> String) -> Target {
        Target {
            name,
            corpus,
            judge,
            seen: HashSet::new(),
            cases: 0,
            slowest: Duration::ZERO,
        }
    }

    fn round(&mut self, seed: u64, dice: &mut Dice) {
        for _ in 0..50 {
            let input = self.corpus.damaged(dice);
            let judge = self.judge;
            let time = || {
                let begin = Instant::now();
                let answer = catch_unwind(AssertUnwindSafe(|| judge(&input)));
                (answer, begin.elapsed())
            };
            let (answer, mut took) = time();
            if took > self.slowest {
                // Again: others of this machine may have taken the time.
                took = took.min(time().1);
            }
            self.cases += 1;
            self.slowest = self.slowest.max(took);
            let Ok(answer) = answer else {
                let text = LAST_PANIC.lock().unwrap().clone();
                self.found(&format!("{text}\na panic"), seed, &input);
            };
            if took > SLOW {
                self.found("a slow case", seed, &input);
            }
            if self.seen.insert(answer) {
                self.corpus.join(input);
            }
        }
    }

    fn found(&self, what: &str, seed: u64, input: &[u8]) -> ! {
        let path = std::env::temp_dir().join(format!("fuzz-{}-{seed}", self.name));
        std::fs::write(&path, input).unwrap();
        self.tell();
        println!("{what} with seed {seed}: the input is {}", path.display());
        std::process::exit(1);
    }

    fn tell(&self) {
        println!(
            "{}: {} cases, {} different answers, the slowest took {} ms",
            self.name,
            self.cases,
            self.seen.len(),
            self.slowest.as_millis()
        );
    }
}

/// What is said of a definition, without its places.
fn definition(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    if let Err(mistakes) = parse(&text) {
        return codes(&text, &mistakes);
    }
    let request = SubmitRequest {
        definition: text.clone().into_owned(),
        ..SubmitRequest::default()
    };
    let view = check(&request, &Shelf);
    // Who knows the modules finds more mistakes, never fewer.
    assert!(view.is_err() || outline(&request).is_ok());
    let mut answer = match view {
        Ok(view) => format!("{} tasks", view.nodes.len()),
        Err(mistakes) => codes(&text, &mistakes),
    };
    match plan(&request, &Shelf) {
        Ok(planned) => answer += &format!(" {} blobs", planned.blobs.len()),
        Err(mistakes) => answer += &codes(&text, &mistakes),
    }
    answer
}

fn codes(text: &str, mistakes: &[Diagnostic]) -> String {
    assert!(!mistakes.is_empty(), "refused without a mistake");
    for span in mistakes.iter().filter_map(|mistake| mistake.span) {
        assert!(text.get(span.start..span.end).is_some(), "{span:?}");
        assert!(span.line >= 1 && span.column >= 1);
    }
    let mut codes: Vec<&str> = mistakes.iter().map(|m| m.code.as_str()).collect();
    codes.dedup();
    codes.join(" ")
}

fn condition(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    let context = serde_json::json!({
        "params": {"a": 1, "full": true, "city": "Ulm"},
        "results": {"a": {"rows": 3}, "b": [1, 2, "x"], "gone": null},
        "tasks": {"a": {"succeeded": 1, "failed": 0, "total": 1, "skipped": 0}},
    });
    match condition::check(&text) {
        Ok(reads) => {
            for name in reads.nodes.iter().chain(&reads.params) {
                assert!(text.get(name.at.clone()).is_some());
            }
            match condition::eval(&text, &context) {
                Ok(value) => format!("{value} {}", reads.nodes.len()),
                Err(message) => letters(&message),
            }
        }
        Err(mistake) => {
            assert!(text.get(mistake.at).is_some());
            letters(&mistake.message)
        }
    }
}

/// A message without what it quotes.
fn letters(message: &str) -> String {
    let plain = message.chars().filter(|c| c.is_ascii_alphabetic());
    plain.take(40).collect()
}

fn module(input: &[u8]) -> String {
    match admit(input, &Hint::default()) {
        Ok(admitted) => {
            // What is stored must be admitted again, as it is.
            let again = admit(&admitted.bytes, &Hint::default()).unwrap();
            assert_eq!(again.bytes, admitted.bytes);
            format!("{:?} {}", admitted.kind, admitted.imports.len())
        }
        Err(rejection) => {
            assert!(!rejection.diagnostics.is_empty());
            let first = &rejection.diagnostics[0];
            format!("{} {}", first.code, letters(&first.message))
        }
    }
}
