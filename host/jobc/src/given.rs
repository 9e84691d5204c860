//! Reads what an attempt is given: `input`, `input_file` or `input_from`, `args`,
//! `env` and `config`.

use crate::definition::{InputSource, Spot};
use crate::node;
use crate::params::{Kind, fill};
use crate::placeholder::Placeholders;
use crate::read::{self, Fields, clip};
use crate::report::Report;
use crate::scope::Scope;
use wasmhost_proto::limits::{MAX_ARGS_BYTES, MAX_INPUT_VALUE};

const INPUTS: [&str; 3] = ["input", "input_file", "input_from"];

/// Reads the input, and finds the placeholders of a value.
pub(crate) fn input(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    placeholders: &mut Placeholders,
    scope: &mut Scope<'_>,
) -> Option<Spot<InputSource>> {
    let given = INPUTS
        .into_iter()
        .filter_map(|key| Some((key, table.get(key)?)));
    if let [(first, _), (second, at), ..] = given.collect::<Vec<_>>().as_slice() {
        let message = format!("`{first}` and `{second}` are both given");
        report.add("conflict", Some(&at.span()), message, "choose one");
        return None;
    }
    if table.get("input_from").is_some() {
        return node::input_from(report, table, scope);
    }
    if table.get("input_file").is_some() {
        let path = table.filled(report, "input_file")?;
        let value = match fill::whole(&path.value) {
            None => InputSource::File(path.value),
            Some(name) => {
                let fits = |kind: &Kind| *kind == Kind::File;
                InputSource::FileOf(scope.params.of_kind(report, name, &path.at, fits, "file")?)
            }
        };
        return Some(Spot { value, at: path.at });
    }
    let value = table.get("input");
    let value = value?;
    let json = read::json(report, &table.path("input"), value)?;
    let bytes = json.to_string().len();
    if bytes > MAX_INPUT_VALUE {
        let message = format!(
            "`{}` has {bytes} bytes, and may have {MAX_INPUT_VALUE}",
            table.path("input")
        );
        report.add(
            "too-large",
            Some(&value.span()),
            message,
            "give it with `input_file`",
        );
        return None;
    }
    read::each_text(value, &mut |text, at| placeholders.find(report, text, &at));
    Some(Spot {
        value: InputSource::Value(json),
        at: value.span(),
    })
}

/// Reads a table of texts: `env` or `config`.
pub(crate) fn texts(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    key: &str,
) -> Vec<(String, Spot<String>)> {
    let Some(fields) = table.table(report, key) else {
        return Vec::new();
    };
    let (whose, refused): (_, &[char]) = match key {
        "env" => ("variable", &['=', '\0']),
        _ => ("setting", &['\0']),
    };
    let mut found = Vec::new();
    for (key, value) in fields.entries() {
        let name = key.get_ref().to_string();
        if name.is_empty() || name.contains(refused) {
            let message = format!("\"{}\" cannot be the name of a {whose}", clip(&name));
            report.add(
                "bad-name",
                Some(&key.span()),
                message,
                "leave out = and NUL",
            );
        }
        if let Some(text) = read::text(report, &fields.path(&clip(&name)), value) {
            found.push((name, text));
        }
    }
    let bytes = found.iter().map(|(k, v)| k.len() + v.value.len());
    if key == "config" && bytes.sum::<usize>() > MAX_ARGS_BYTES {
        let message = format!("`{}` may have {MAX_ARGS_BYTES} bytes", fields.name());
        report.add(
            "too-large",
            Some(&fields.at),
            message,
            "give the data as `input`",
        );
    }
    found
}

/// What every operating system asks of arguments and environment, and their bound.
pub(crate) fn command_line(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    args: &[Spot<String>],
    env: &[(String, Spot<String>)],
) {
    for text in args
        .iter()
        .chain(env.iter().map(|(_, value)| value))
        .filter(|t| t.value.contains('\0'))
    {
        report.add(
            "bad-value",
            Some(&text.at),
            "arguments and environment cannot hold a NUL character",
            "",
        );
    }
    let bytes = args.iter().map(|a| a.value.len() + 1).sum::<usize>()
        + env
            .iter()
            .map(|(k, v)| k.len() + v.value.len() + 2)
            .sum::<usize>();
    if bytes > MAX_ARGS_BYTES {
        let message =
            format!("arguments and environment have {bytes} bytes, and may have {MAX_ARGS_BYTES}");
        report.add(
            "too-large",
            Some(&table.at),
            message,
            "give the data as `input`",
        );
    }
}
