//! Text to [`Definition`]: the tables, their keys, types and bounds. Finds every
//! mistake that can be seen without the modules and files.

use crate::array::{self, Items};
use crate::definition::{Definition, JobTable, Node};
use crate::placeholder::Placeholders;
use crate::policy::{self, LIMITS, RETRY};
use crate::read::{DURATION, Fields, clip};
use crate::report::Report;
use crate::{given, source, suggest, values};
use toml::de::DeTable;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::limits::{MAX_DEFINITION, MAX_DESCRIPTION, MAX_JOB_MS};
use wasmhost_proto::plan::OnFailure;

const TABLES: [&str; 3] = ["job", "task", "reduce"];
const JOB: [&str; 6] = [
    "name",
    "description",
    "priority",
    "queue_timeout",
    "total_timeout",
    "on_failure",
];
const TASK: [&str; 9] = [
    "name",
    "module",
    "array",
    "input",
    "input_file",
    "args",
    "env",
    "limits",
    "retry",
];
const REDUCE: [&str; 6] = ["name", "module", "args", "env", "limits", "retry"];
const NAME_HELP: &str = "use up to 64 letters, digits and . _ - and begin with a letter";

/// Reads a job definition. On failure all mistakes come at once, in the order of
/// the text, up to `MAX_DIAGNOSTICS`.
pub fn parse(text: &str) -> Result<Definition, Vec<Diagnostic>> {
    let mut report = Report::new(text);
    let definition = document(&mut report, text);
    match definition {
        Some(definition) if report.is_empty() => Ok(definition),
        _ => Err(report.finish()),
    }
}

fn document(report: &mut Report<'_>, text: &str) -> Option<Definition> {
    if text.len() > MAX_DEFINITION {
        let message = format!(
            "the definition has {} bytes, and may have {MAX_DEFINITION}",
            text.len()
        );
        report.add(
            "too-large",
            None,
            message,
            "put items into a file and name it with `lines`",
        );
        return None;
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.add(
            "syntax",
            error.span().as_ref(),
            format!("not TOML: {}", error.message()),
            "",
        );
    }
    if !errors.is_empty() {
        // What follows a broken line would be misread and blamed for it.
        return None;
    }
    let fields = Fields::root(&root);
    fields.only(report, &TABLES, |key| {
        let table = if TASK.contains(&key) {
            "task"
        } else if JOB.contains(&key) {
            "job"
        } else {
            return None;
        };
        Some(format!("put `{key}` below the line [{table}]"))
    });
    let job = fields
        .table(report, "job")
        .map(|table| job(report, &table))
        .unwrap_or_default();
    let task = match fields.get("task") {
        Some(_) => fields
            .table(report, "task")
            .and_then(|table| node(report, &table, "task", &TASK)),
        None => {
            report.add(
                "missing-key",
                None,
                "the table [task] is missing",
                "write [task] and its `module`",
            );
            None
        }
    };
    let reduce = fields
        .table(report, "reduce")
        .and_then(|table| node(report, &table, "reduce", &REDUCE));
    let reduced = fields.get("reduce").is_none() || reduce.is_some();
    let task = task.filter(|_| reduced)?;
    if let Some(reduce) = reduce.as_ref().filter(|r| r.name == task.name) {
        let message = format!("two tasks are named \"{}\"", task.name);
        report.add(
            "duplicate-name",
            Some(&reduce.at),
            message,
            "name one of them otherwise",
        );
    }
    Some(Definition { job, task, reduce })
}

fn job(report: &mut Report<'_>, table: &Fields<'_, '_>) -> JobTable {
    table.only(report, &JOB, |key| {
        TASK.contains(&key)
            .then(|| format!("put `{key}` below the line [task]"))
    });
    let description = table.text(report, "description");
    if let Some(text) = description
        .as_ref()
        .filter(|text| text.value.len() > MAX_DESCRIPTION)
    {
        let message = format!(
            "the description has {} bytes, and may have {MAX_DESCRIPTION}",
            text.value.len()
        );
        report.add("too-large", Some(&text.at), message, "");
    }
    JobTable {
        name: name(
            report,
            table,
            values::is_name,
            "use up to 64 letters, digits and . _ -",
        ),
        description: description.map(|text| text.value).unwrap_or_default(),
        priority: (table.integer(report, "priority", i32::MIN.into()..=i32::MAX.into()))
            .and_then(|n| i32::try_from(n).ok())
            .unwrap_or_default(),
        queue_ms: table.measure(report, "queue_timeout", &DURATION, 1..=MAX_JOB_MS),
        total_ms: table.measure(report, "total_timeout", &DURATION, 1..=MAX_JOB_MS),
        on_failure: on_failure(report, table).unwrap_or_default(),
    }
}

fn on_failure(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Option<OnFailure> {
    let text = table.text(report, "on_failure")?;
    match text.value.as_str() {
        "stop" => Some(OnFailure::Stop),
        "continue" => Some(OnFailure::Continue),
        other => {
            let message = format!("`job.on_failure` cannot be \"{}\"", clip(other));
            report.add(
                "bad-value",
                Some(&text.at),
                message,
                suggest::help(other, &["stop", "continue"]),
            );
            None
        }
    }
}

fn name(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    fits: fn(&str) -> bool,
    help: &str,
) -> Option<String> {
    let text = table.text(report, "name")?;
    if !fits(&text.value) {
        let message = format!("\"{}\" cannot be a name", clip(&text.value));
        report.add("bad-name", Some(&text.at), message, help);
        return None;
    }
    Some(text.value)
}

fn node(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    default: &str,
    known: &[&str],
) -> Option<Node> {
    table.only(report, known, |key| match key {
        "array" | "input" | "input_file" => {
            Some("[reduce] runs once, with the results of [task]".into())
        }
        key if LIMITS.contains(&key) => {
            Some(format!("put `{key}` below the line [{default}.limits]"))
        }
        key if RETRY.contains(&key) => {
            Some(format!("put `{key}` below the line [{default}.retry]"))
        }
        key if JOB.contains(&key) => Some(format!("put `{key}` below the line [job]")),
        _ => None,
    });
    let mut placeholders = Placeholders::default();
    let array_given = known
        .contains(&"array")
        .then(|| table.get("array"))
        .flatten();
    let array = array_given.and_then(|value| array::read(report, table.path("array"), value));
    let input = known
        .contains(&"input")
        .then(|| given::input(report, table, &mut placeholders))
        .flatten();
    let args = table.texts(report, "args");
    let env = given::env(report, table);
    given::command_line(report, table, &args, &env);
    for text in args.iter().chain(env.iter().map(|(_, value)| value)) {
        placeholders.find(report, &text.value, &text.at);
    }
    // Of an array that could not be read nothing is known.
    if array_given.is_some() == array.is_some() {
        placeholders.check(report, &Items::of(array.as_ref().map(|a| &a.value)));
    }
    Some(Node {
        name: name(report, table, values::is_task_name, NAME_HELP)
            .unwrap_or_else(|| default.to_owned()),
        limits: policy::limits(report, table),
        retry: policy::retry(report, table),
        module: source::read(report, table)?,
        at: table.at.clone(),
        array,
        input,
        args,
        env,
    })
}
