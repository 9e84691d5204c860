//! Problems for people: what, where and what to do; diagnostics with the line
//! they are about.

use super::human::clean;
use super::style::{Tone, bold, dim};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use wasmhost_proto::api::{Diagnostic, Problem};

/// A problem as text. `origin` is the name and text that the spans point into.
pub(crate) fn render(problem: &Problem, origin: Option<(&str, &str)>) -> String {
    let mut text = String::new();
    if problem.errors.is_empty() || origin.is_none() {
        text.push_str(&headline(&problem.title));
    }
    for one in &problem.errors {
        match origin {
            Some((name, source)) => text.push_str(&diagnostic(one, name, source)),
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
    let mut text = format!("  {} {}", Tone::Bad.paint("-"), clean(&one.message));
    if let Some(help) = &one.help {
        text.push_str(&format!("\n    {} {}", dim("help:"), clean(help)));
    }
    text
}

fn diagnostic(one: &Diagnostic, name: &str, source: &str) -> String {
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
                .path(name)
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

    fn check(errors: Vec<Diagnostic>, origin: Option<(&str, &str)>, want: &str) {
        let mut problem =
            crate::client::error::problem("invalid_definition", "two mistakes".into(), None);
        problem.errors = errors;
        let got = anstream::adapter::strip_str(&render(&problem, origin)).to_string();
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
        }
    }

    #[test]
    fn diagnostics_show_their_line() {
        check(
            vec![mistake(Some((7, 12)))],
            Some(("job.toml", "[task]\nmodul = \"x\"\n")),
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
            Some(("job.toml", "é")),
            "error[unknown-key]: unknown key 'modul'\n |\n = help: did you mean 'module'?",
        );
    }

    #[test]
    fn without_a_text_they_are_listed() {
        check(
            vec![mistake(None)],
            None,
            "error: two mistakes\n  - unknown key 'modul'\n    help: did you mean 'module'?",
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
            let rendered = render(&problem, Some(("job.toml", text)));
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
