//! Reads what an attempt is given: `input` or `input_file`, `args`, `env`.

use crate::definition::{InputSource, Spot};
use crate::placeholder::Placeholders;
use crate::read::{self, Fields, clip};
use crate::report::Report;
use wasmhost_proto::limits::{MAX_ARGS_BYTES, MAX_INPUT_VALUE};

/// Reads `input` or `input_file`, and finds the placeholders of the former.
pub(crate) fn input(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    placeholders: &mut Placeholders,
) -> Option<Spot<InputSource>> {
    let (value, file) = (table.get("input"), table.get("input_file"));
    if let (Some(_), Some(file)) = (value, file) {
        report.add(
            "conflict",
            Some(&file.span()),
            "`input` and `input_file` are both given",
            "choose one",
        );
        return None;
    }
    if file.is_some() {
        let path = table.filled(report, "input_file")?;
        return Some(Spot {
            value: InputSource::File(path.value),
            at: path.at,
        });
    }
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

/// Reads `env`.
pub(crate) fn env(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<(String, Spot<String>)> {
    let Some(fields) = table.table(report, "env") else {
        return Vec::new();
    };
    let mut env = Vec::new();
    for (key, value) in fields.entries() {
        let name = key.get_ref().to_string();
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("\"{}\" cannot be the name of a variable", clip(&name));
            report.add(
                "bad-name",
                Some(&key.span()),
                message,
                "leave out = and NUL",
            );
        }
        if let Some(text) = read::text(report, &fields.path(&clip(&name)), value) {
            env.push((name, text));
        }
    }
    env
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
