//! JavaScript: an ECMAScript module that imports nothing and has a default export.

use super::stack::{Cut, Guarded, Progress};
use super::{Mistake, PARSING, place};
use crate::read::clip;
use boa_ast::scope::Scope;
use boa_ast::{ModuleItemList, Position, Span};
use boa_interner::Interner;
use boa_parser::{Error, Parser, Source, lexer};
use std::ops::Range;

pub(super) fn parse(text: &str) -> Option<Mistake> {
    let progress = Progress::default();
    let source = Source::from_reader(Guarded::new(text, PARSING, &progress), None);
    let mut interner = Interner::default();
    let parsed = Parser::new(source).parse_module(&Scope::new_global(), &mut interner);
    let read = progress.read.get().min(text.len());
    match (parsed, progress.cut.get()) {
        (_, Some(Cut::TooDeep)) => {
            let at = text.floor_char_boundary(read.saturating_sub(1));
            Some(Mistake::syntax("the script is nested too deep", at..at))
        }
        // The engine takes the time of its task.
        (_, Some(Cut::TooLong)) => None,
        (Err(error), None) => Some(syntax(&error, text, read)),
        (Ok(module), None) => module_of_its_own(module.items(), text, &interner),
    }
}

/// What a script must have and must not have, beyond the language.
fn module_of_its_own(items: &ModuleItemList, text: &str, names: &Interner) -> Option<Mistake> {
    if let Some(request) = items.requests().first() {
        let name = names.resolve(*request).map(|name| name.to_string());
        let name = name.unwrap_or_default();
        return Some(Mistake {
            code: "script-import",
            message: format!("the script imports \"{}\"", clip(&name)),
            help: "a script stands alone: put the code into it, or make a module of the task",
            at: quoted(text, &name),
        });
    }
    let exported = items.exported_names();
    let default = names.get("default");
    if default.is_some_and(|default| exported.contains(&default)) {
        return None;
    }
    Some(Mistake {
        code: "script-no-default",
        message: "the script has no default export".into(),
        help: "write `export default function (input) { … }`",
        at: 0..text.lines().next().map_or(0, str::len),
    })
}

/// What the parser says, of which `read` bytes were read.
fn syntax(error: &Error, text: &str, read: usize) -> Mistake {
    match error {
        Error::Expected { span, .. } | Error::Unexpected { span, .. } => {
            Mistake::syntax(told(error), spanned(text, *span))
        }
        Error::General { message, position } => {
            let at = whole(text, message).unwrap_or_else(|| pointed(text, *position));
            Mistake::syntax(message.to_string(), at)
        }
        Error::Lex { err } => match err {
            lexer::Error::Syntax(message, position) => {
                Mistake::syntax(message.to_string(), pointed(text, *position))
            }
            // Something ends too early: where it begins is not told.
            lexer::Error::IO(error) => {
                let line = text[..text.floor_char_boundary(read)].trim_end();
                let from = line.rfind('\n').map_or(0, |at| at + 1);
                let indent = line[from..].len() - line[from..].trim_start().len();
                Mistake::syntax(error.to_string(), from + indent..line.len())
            }
        },
        Error::AbruptEnd => {
            let end = text.trim_end().len();
            Mistake::syntax("the script ends before it is complete", end..end)
        }
        Error::ScopeAnalysis { err } => Mistake::syntax(*err, 0..0),
    }
}

/// What is wrong, without the place.
fn told(error: &Error) -> String {
    let whole = error.to_string();
    let message = whole.rsplit_once(" at line ").map(|(message, _)| message);
    message.unwrap_or(&whole).to_owned()
}

fn pointed(text: &str, at: Position) -> Range<usize> {
    place(text, at.line_number() as usize, at.column_number() as usize)
}

fn spanned(text: &str, span: Span) -> Range<usize> {
    let from = pointed(text, span.start());
    // Spans end behind what they are about.
    let to = pointed(text, span.end()).start;
    from.start..to.max(from.end)
}

/// The place of what is wrong with a module as a whole, of which the parser tells the
/// module's: a name that is declared twice, or exported and not there.
fn whole(text: &str, message: &str) -> Option<Range<usize>> {
    let name = message.split('`').nth(1)?;
    if message.ends_with("declared multiple times") && name == "*default*" {
        let (at, default) = text.match_indices("export default").nth(1)?;
        return Some(at..at + default.len());
    }
    let mut words = words(text, name);
    if message.ends_with("declared multiple times") {
        let declares = |at: &Range<usize>| {
            let before = text[..at.start].trim_end();
            let words = ["let", "const", "class", "function", "var", "*"];
            words.iter().any(|word| before.ends_with(word))
        };
        return words.filter(declares).nth(1);
    }
    message.contains("exported binding").then(|| words.next())?
}

/// Where a word stands on its own.
fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let alone = move |at: &usize| {
        !text[..*at].ends_with(part) && !text[at + word.len()..].starts_with(part)
    };
    let found = text.match_indices(word).map(|(at, _)| at).filter(alone);
    found.map(|at| at..at + word.len())
}

/// Where a text stands in quotes first.
fn quoted(text: &str, name: &str) -> Range<usize> {
    let found = ['"', '\''].map(|quote| {
        let whole = format!("{quote}{name}{quote}");
        text.find(&whole).map(|from| from..from + whole.len())
    });
    let first = found.into_iter().flatten().min_by_key(|at| at.start);
    first.unwrap_or(0..0)
}
