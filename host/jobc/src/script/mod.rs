//! Mistakes of scripts that can be found without running them.
//!
//! Parses as the engines do, with the same parsers, and runs nothing. A text that could
//! exhaust the parser's memory is not looked at: the engine says what is wrong with it, in
//! its sandbox.

mod javascript;
mod rhai;
mod stack;

use crate::source::Engine;
use std::ops::Range;
use wasmhost_proto::api::{Diagnostic, Span};
use wasmhost_proto::limits::{MAX_SCRIPT, MAX_SCRIPT_TOKENS};

/// What an engine would refuse to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mistake {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: &'static str,
    /// Where in the script, in bytes.
    pub(crate) at: Range<usize>,
}

/// Stack of a parser, bytes: brackets in brackets take some 25 KB a level, which makes
/// several times the depth that an engine can follow in its sandbox.
const PARSING: usize = 16 << 20;
/// Stack for each word and sign, bytes: chains such as `a.b.c` become trees that are as
/// deep as they are long, which take a quarter of it to walk and to drop.
const WALKING: usize = 4 << 10;

/// What is wrong with a script in a file. Places are in the file, which is called as the
/// definition does.
pub fn check(engine: Engine, file: &str, content: &[u8]) -> Option<Diagnostic> {
    let told = |mistake: Mistake, span: Option<Span>| Diagnostic {
        code: mistake.code.to_owned(),
        message: mistake.message,
        help: (!mistake.help.is_empty()).then(|| mistake.help.to_owned()),
        span,
        file: Some(file.to_owned()),
    };
    if content.len() > MAX_SCRIPT {
        let mistake = Mistake {
            code: "too-large",
            message: format!("the script has more than {MAX_SCRIPT} bytes"),
            help: "give its data as `input`, or make a module of it",
            at: 0..0,
        };
        return Some(told(mistake, None));
    }
    match std::str::from_utf8(content) {
        Ok(text) => {
            let mistake = find(engine, text)?;
            let span = Span::of(text, &mistake.at);
            Some(told(mistake, Some(span)))
        }
        Err(error) => {
            let at = error.valid_up_to();
            let message = format!("the script is not text in UTF-8 (at byte {at})");
            Some(told(Mistake::syntax(message, at..at), None))
        }
    }
}

/// The first thing that is wrong with a script: parsers go no further.
pub(crate) fn find(engine: Engine, text: &str) -> Option<Mistake> {
    let parse = match engine {
        Engine::Js => javascript::parse,
        Engine::Rhai => rhai::parse,
        Engine::Python => return None,
    };
    let tokens = tokens(text);
    if tokens > MAX_SCRIPT_TOKENS {
        return None;
    }
    let thread = std::thread::Builder::new()
        .name("script-check".into())
        .stack_size(2 * PARSING + tokens * WALKING);
    // A parser that panics, or has no thread, has found nothing: the engine will.
    std::thread::scope(|scope| {
        let parsing = thread.spawn_scoped(scope, || parse(text)).ok()?;
        parsing.join().ok()?
    })
}

/// How deep the tree of a text can be at most: no level of it has neither a word nor a sign
/// of its own. Strings and comments count, since what is one is not known before.
fn tokens(text: &str) -> usize {
    let signs = text.bytes().filter(u8::is_ascii_punctuation).count();
    let words = text.split(|c: char| !c.is_alphabetic());
    signs + words.filter(|word| !word.is_empty()).count()
}

impl Mistake {
    fn syntax(message: impl Into<String>, at: Range<usize>) -> Mistake {
        Mistake {
            code: "script-syntax",
            message: message.into(),
            help: "",
            at,
        }
    }
}

/// The character at a line and column, both from 1, and the columns in characters.
fn place(text: &str, line: usize, column: usize) -> Range<usize> {
    let mut lines = text.split_inclusive('\n');
    let before = lines.by_ref().take(line.saturating_sub(1));
    let start: usize = before.map(str::len).sum();
    let line = lines.next().unwrap_or_default();
    let mut rest = line.char_indices().skip(column.saturating_sub(1));
    let (from, width) = rest
        .next()
        .map_or((line.trim_end().len(), 0), |(from, c)| (from, c.len_utf8()));
    start + from..start + from + width
}
