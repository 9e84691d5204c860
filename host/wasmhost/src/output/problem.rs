//! Problems for people: what, where and what to do; diagnostics with the line
//! they are about.

use super::human::clean;
use super::style::{Tone, bold, dim};
use crate::cli::exit::Source;
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use wasmhost_proto::api::{Diagnostic, Problem};

/// A problem as text. The spans of its mistakes point into `origins`.
pub(crate) fn render(problem: &Problem, origins: &[Source]) -> String {
    let of = |one: &Diagnostic| origins.iter().find(|origin| origin.file == one.file);
    let listed = problem.errors.iter().any(|one| of(one).is_none());
    let mut text = String::new();
    if problem.errors.is_empty() || listed {
        text.push_str(&headline(&problem.title));
    }
    for one in &problem.errors {
        match of(one) {
            Some(origin) => text.push_str(&diagnostic(one, origin)),
            None => text.push_str(&plain(one)),
        }
        text.push('\n');
    }
    if let Some(help) = &problem.help {
        text.push_str(&hint(help));
    }
    text
}

fn headline(title: &str) -> String {
    format!(
        "{}{} {}\n",
        bold(Tone::Bad.paint("error")),
        bold(":"),
        clean(title)
    )
}

fn hint(help: &str) -> String {
    format!(
        "  {} {}\n",
        dim("help:"),
        clean(help).replace('\n', "\n        ")
    )
}

fn plain(one: &Diagnostic) -> String {
    let place = match (&one.file, one.span) {
        (Some(file), Some(at)) => format!("{file}:{}:{}: ", at.line, at.column),
        (Some(file), None) => format!("{file}: "),
        (None, _) => String::new(),
    };
    let message = clean(&format!("{place}{}", one.message));
    let mut text = format!("  {} {message}", Tone::Bad.paint("-"));
    if let Some(help) = &one.help {
        text.push_str(&format!("\n    {} {}", dim("help:"), clean(help)));
    }
    text
}

fn diagnostic(one: &Diagnostic, origin: &Source) -> String {
    let source = origin.text.as_str();
    let title = Level::ERROR
        .primary_title(clean(&one.message))
        .id(one.code.clone());
    let mut group = Group::with_title(title);
    // A span from the other side is not trusted to lie within the text.
    let span = one.span.filter(|s| {
        s.start <= s.end && source.is_char_boundary(s.start) && source.is_char_boundary(s.end)
    });
    if let Some(span) = span {
        group = group.element(
            Snippet::source(source)
                .path(clean(&origin.name))
                .annotation(AnnotationKind::Primary.span(span.start..span.end)),
        );
    }
    if let Some(help) = &one.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    let mut text = renderer.render(&[group]).to_string();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost_proto::api::Span;

    fn check(errors: Vec<Diagnostic>, origins: &[Source], want: &str) {
        let mut problem =
            crate::client::error::problem("invalid_definition", "two mistakes".into(), None);
        problem.errors = errors;
        let got = anstream::adapter::strip_str(&render(&problem, origins)).to_string();
        assert_eq!(got.trim_end(), want.trim_matches('\n'), "\n{got}");
    }

    fn mistake(span: Option<(usize, usize)>) -> Diagnostic {
        Diagnostic {
            code: "unknown-key".into(),
            message: "unknown key 'modul'".into(),
            help: Some("did you mean 'module'?".into()),
            span: span.map(|(start, end)| Span {
                start,
                end,
                line: 2,
                column: 1,
            }),
            file: None,
        }
    }

    fn of_script(span: Option<(usize, usize)>) -> Diagnostic {
        Diagnostic {
            file: Some("a.js".into()),
            ..mistake(span)
        }
    }

    #[test]
    fn diagnostics_show_their_line() {
        check(
            vec![mistake(Some((7, 12)))],
            &[Source::definition("job.toml", "[task]\nmodul = \"x\"\n")],
            "
error[unknown-key]: unknown key 'modul'
 --> job.toml:2:1
  |
2 | modul = \"x\"
  | ^^^^^
  |
  = help: did you mean 'module'?",
        );
    }

    #[test]
    fn a_span_outside_the_text_is_left_out() {
        check(
            vec![mistake(Some((700, 12_000)))],
            &[Source::definition("job.toml", "é")],
            "error[unknown-key]: unknown key 'modul'\n |\n = help: did you mean 'module'?",
        );
    }

    #[test]
    fn without_a_text_they_are_listed() {
        check(
            vec![mistake(None), of_script(Some((0, 1)))],
            &[],
            "error: two mistakes\n  - unknown key 'modul'\n    help: did you mean 'module'?\n  \
             - a.js:2:1: unknown key 'modul'\n    help: did you mean 'module'?",
        );
    }

    #[test]
    fn each_is_shown_in_its_own_text() {
        check(
            vec![of_script(Some((2, 5))), mistake(None)],
            &[Source::other("src/a.js", "a\nbcd\n", "a.js")],
            "
error: two mistakes
error[unknown-key]: unknown key 'modul'
 --> src/a.js:2:1
  |
2 | bcd
  | ^^^
  |
  = help: did you mean 'module'?

  - unknown key 'modul'
    help: did you mean 'module'?",
        );
    }

    /// The table of bad definitions, as people see each of them.
    #[test]
    fn bad_definitions() {
        let cases = include_str!("../../../jobc/tests/bad.txt").split("=== ");
        let mut shown = String::new();
        let mut count = 0;
        // Those with generated letters are too long to be looked at.
        for case in cases.skip(1).filter(|case| !case.contains('@')) {
            let (title, text) = case.split_once('\n').unwrap_or_default();
            let mut problem =
                crate::client::error::problem("invalid_definition", "mistakes".into(), None);
            problem.errors = wasmhost_jobc::parse(text).err().unwrap_or_default();
            let rendered = render(&problem, &[Source::definition("job.toml", text)]);
            let rendered = anstream::adapter::strip_str(&rendered).to_string();
            let lines = rendered
                .lines()
                .map(|line| format!("{}\n", line.trim_end()));
            shown += &format!("=== {title}\n{}", lines.collect::<String>());
            count += 1;
        }
        assert!(count >= 100, "{count} cases");
        insta::assert_snapshot!(shown);
    }
}
