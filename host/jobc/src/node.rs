//! Reads the table of one task: `[task]`, `[reduce]` or `[tasks.NAME]`.

use crate::array::{self, Items};
use crate::condition;
use crate::definition::{InputSource, Node, Spot};
use crate::placeholder::Placeholders;
use crate::policy::{self, LIMITS, RETRY};
use crate::read::{self, Fields, clip};
use crate::report::Report;
use crate::scope::Scope;
use crate::{driving, files, given, grants, source};
use toml::de::DeValue;
use wasmhost_proto::wire::AttemptLimits;

/// How a task is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `[task]`.
    Task,
    /// `[reduce]`, which takes the results of `[task]`.
    Reduce,
    /// `[tasks.NAME]`.
    Named,
}

const TASK: [&str; 21] = [
    "name",
    "module",
    "script",
    "array",
    "input",
    "input_file",
    "args",
    "env",
    "config",
    "limits",
    "retry",
    "concurrency",
    "tolerate",
    "priority",
    "programs",
    "files",
    "scratch",
    "collect",
    "network",
    "secrets",
    "submits",
];
const REDUCE: [&str; 17] = [
    "name", "module", "script", "args", "env", "config", "limits", "retry", "tolerate", "priority",
    "programs", "files", "scratch", "collect", "network", "secrets", "submits",
];
const NAMED: [&str; 25] = [
    "module",
    "script",
    "after",
    "when",
    "array",
    "input",
    "input_file",
    "input_from",
    "args",
    "env",
    "config",
    "limits",
    "retry",
    "concurrency",
    "tolerate",
    "priority",
    "driver",
    "spawned_by",
    "programs",
    "files",
    "scratch",
    "collect",
    "network",
    "secrets",
    "submits",
];

impl Form {
    /// The keys of the table.
    pub(crate) fn keys(self) -> &'static [&'static str] {
        match self {
            Form::Task => &TASK,
            Form::Reduce => &REDUCE,
            Form::Named => &NAMED,
        }
    }

    fn has(self, key: &str) -> bool {
        self.keys().contains(&key)
    }
}

/// What a misplaced key means, by where it belongs.
fn hint(form: Form, key: &str, table: &str) -> Option<String> {
    Some(match key {
        "array" | "input" | "input_file" if form == Form::Reduce => {
            "[reduce] runs once, with the results of [task]".into()
        }
        "name" if form == Form::Named => "the name stands in the line [tasks.NAME]".into(),
        "after" | "when" | "input_from" | "driver" | "spawned_by" => {
            "write the tasks as [tasks.NAME] for that".into()
        }
        key if LIMITS.contains(&key) => format!("put `{key}` below the line [{table}.limits]"),
        key if RETRY.contains(&key) => format!("put `{key}` below the line [{table}.retry]"),
        key if crate::parse::JOB.contains(&key) => format!("put `{key}` below the line [job]"),
        _ => return None,
    })
}

/// Reads a task; its own mistakes and names of others are reported and noted even
/// when there is no task to give.
pub(crate) fn read(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    form: Form,
    name: String,
    scope: &mut Scope<'_>,
) -> Option<Node> {
    table.only(report, form.keys(), |key| hint(form, key, table.name()));
    let mut placeholders = Placeholders::default();
    let array_given = table.get("array").filter(|_| form.has("array"));
    let array =
        array_given.and_then(|value| array::read(report, table.path("array"), value, scope));
    let input = match form.has("input") {
        true => given::input(report, table, &mut placeholders, scope),
        false => None,
    };
    let args = table.texts(report, "args");
    let env = given::texts(report, table, "env");
    let config = given::texts(report, table, "config");
    given::command_line(report, table, &args, &env);
    for text in &args {
        placeholders.find(report, &text.value, &text.at);
    }
    let secrets = grants::secrets(report, table);
    // Where secrets may stand, too.
    let mut named = Placeholders::default();
    for (_, text) in env.iter().chain(&config) {
        named.find(report, &text.value, &text.at);
    }
    // Of an array that could not be read nothing is known.
    let items = match array_given.is_some() == array.is_some() {
        true => Items::of(array.as_ref().map(|a| &a.value)),
        false => Items::Unknown,
    };
    placeholders.check(report, &items, scope.params, &[]);
    named.check(report, &items, scope.params, &secrets);
    if form == Form::Named && table.get("after").is_some() {
        let names = table.texts(report, "after");
        scope.tasks(report, &names);
    }
    let when = match form.has("when") {
        true => when(report, table, scope),
        false => None,
    };
    let (limits, asked) = policy::limits(report, table);
    let retry = policy::retry(report, table);
    let driver = form.has("driver") && driving::driver(report, table);
    if driver {
        files::of_driver(report, table);
    }
    let after = scope.links.iter().map(|link| link.to).collect();
    let started = match form.has("spawned_by") {
        true => driving::spawned_by(report, table, scope),
        false => None,
    };
    let limits = AttemptLimits {
        wall_ms: driving::patience(driver, &asked, limits.wall_ms),
        ..limits
    };
    let tolerate = match (&started, table.get("tolerate")) {
        // A driver hears of each failure, and decides.
        (Some(_), None) => u32::MAX,
        _ => tolerate(report, table),
    };
    let bound = |n: i64| u32::try_from(n).ok();
    let concurrency = match form.has("concurrency") {
        true => table.integer(report, "concurrency", 1..=u32::MAX.into()),
        false => None,
    };
    let priority = table.integer(report, "priority", i32::MIN.into()..=i32::MAX.into());
    Some(Node {
        source: source::read(report, table)?,
        at: table.at.clone(),
        name,
        array: started.or(array),
        input,
        args,
        env,
        config,
        limits,
        asked,
        retry,
        after,
        when,
        tolerate,
        concurrency: concurrency.and_then(bound),
        priority: priority.and_then(|n| i32::try_from(n).ok()).unwrap_or(0),
        driver,
        programs: grants::programs(report, table),
        files: files::files(report, table, scope),
        scratch: files::scratch(report, table),
        collect: files::collect(report, table),
        network: grants::network(report, table),
        secrets,
        submits: grants::submits(report, table),
    })
}

/// Reads `tolerate`: a number, or `"all"`.
fn tolerate(report: &mut Report<'_>, table: &Fields<'_, '_>) -> u32 {
    let Some(value) = table.get("tolerate") else {
        return 0;
    };
    match value.get_ref() {
        DeValue::String(text) if text == "all" => u32::MAX,
        DeValue::String(text) => {
            let message = format!("`{}` cannot be \"{}\"", table.path("tolerate"), clip(text));
            let help = "write how many tasks may fail, or \"all\"";
            report.add("bad-value", Some(&value.span()), message, help);
            0
        }
        _ => {
            let number = table.integer(report, "tolerate", 0..=u32::MAX.into());
            number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
        }
    }
}

/// Reads `when`. What it reads comes first.
fn when(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    scope: &mut Scope<'_>,
) -> Option<Spot<String>> {
    let text = table.filled(report, "when")?;
    let reads = match condition::check(&text.value) {
        Ok(reads) => reads,
        Err(mistake) => {
            let at = report.within(&text, &mistake.at);
            let message = format!("`{}`: {}", table.path("when"), mistake.message);
            report.add("bad-condition", Some(&at), message, mistake.help);
            return None;
        }
    };
    for param in reads.params {
        let at = report.within(&text, &param.at);
        scope.params.find(report, &param.name, &at);
    }
    let mut seen = std::collections::BTreeSet::new();
    for node in reads.nodes {
        if seen.insert(node.name.clone()) {
            let at = report.within(&text, &node.at);
            let name = Spot {
                value: node.name,
                at,
            };
            scope.task(report, &name);
        }
    }
    Some(text)
}

/// Reads `input_from`: one task's results, or those of several by name.
pub(crate) fn input_from(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    scope: &mut Scope<'_>,
) -> Option<Spot<InputSource>> {
    let value = table.get("input_from")?;
    let at = value.span();
    let source = match value.get_ref() {
        DeValue::String(_) => {
            let name = table.filled(report, "input_from")?;
            // Whether it is an array is seen when all tasks are read.
            InputSource::Result(scope.task(report, &name)?)
        }
        DeValue::Array(_) => {
            let names = table.texts(report, "input_from");
            if names.is_empty() {
                let message = format!("`{}` names no task", table.path("input_from"));
                report.add("empty", Some(&at), message, "");
                return None;
            }
            InputSource::Join(scope.tasks(report, &names))
        }
        other => {
            let path = table.path("input_from");
            read::wrong_type(report, &path, "text or a list", other, at);
            return None;
        }
    };
    Some(Spot { value: source, at })
}
