//! Text to [`Definition`]: the tables, their keys, types and bounds, the names in
//! them, and the order of tasks. Finds every mistake that can be seen without the
//! values of parameters, the modules and the files.

use crate::definition::{ArraySource, Definition, InputSource, JobTable, Node, Spot};
use crate::node::{self, Form};
use crate::params;
use crate::read::{DURATION, Fields, clip};
use crate::report::Report;
use crate::scope::{Link, Names, Params, Scope};
use crate::{driving, graph, suggest, values};
use toml::de::DeTable;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::data::space_fault;
use wasmhost_proto::limits::{
    MAX_DEFINITION, MAX_DESCRIPTION, MAX_JOB_MS, MAX_NODES, MAX_PUBLISHES,
};
use wasmhost_proto::plan::OnFailure;

const TABLES: [&str; 5] = ["job", "params", "task", "reduce", "tasks"];
/// The keys of `[job]`.
pub(crate) const JOB: [&str; 8] = [
    "name",
    "description",
    "priority",
    "queue_timeout",
    "total_timeout",
    "on_failure",
    "concurrency",
    "publishes",
];
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
        let table = if Form::Task.keys().contains(&key) {
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
    let declared = params::declare(report, &fields);
    let nodes = nodes(report, &fields, &declared)?;
    Some(Definition {
        job,
        params: declared.list,
        nodes,
    })
}

/// The tasks of either form, in their order.
fn nodes(report: &mut Report<'_>, root: &Fields<'_, '_>, params: &Params) -> Option<Vec<Node>> {
    let short = root.get("task").or(root.get("reduce"));
    match (root.get("tasks"), short) {
        (Some(_), None) => named(report, root, params),
        (Some(long), Some(short)) => {
            // The later one is the odd one.
            let (long, short) = (long.span(), short.span());
            let at = if short.start > long.start {
                short
            } else {
                long
            };
            let message = "[tasks.NAME] does not go with [task] and [reduce]";
            report.add(
                "conflict",
                Some(&at),
                message,
                "write every task as [tasks.NAME]",
            );
            None
        }
        (None, _) => pair(report, root, params),
    }
}

/// `[task]`, and `[reduce]` if it is there.
fn pair(report: &mut Report<'_>, root: &Fields<'_, '_>, params: &Params) -> Option<Vec<Node>> {
    let nobody = Names::default();
    let read = |report: &mut Report<'_>, key: &str, form: Form| {
        let table = root.table(report, key)?;
        if meant_long(report, &table, form) {
            return None;
        }
        let name = name(report, &table, values::is_task_name, NAME_HELP);
        let mut scope = Scope::new(params, &nobody);
        let name = name.unwrap_or_else(|| key.to_owned());
        node::read(report, &table, form, name, &mut scope)
    };
    let task = read(report, "task", Form::Task);
    if root.get("task").is_none() {
        let help = "write [task] and its `module`, or several tasks as [tasks.NAME]";
        report.add("missing-key", None, "the table [task] is missing", help);
    }
    let reduce = read(report, "reduce", Form::Reduce);
    if root.get("reduce").is_none() {
        return Some(vec![task?]);
    }
    let (task, mut reduce) = (task?, reduce?);
    if reduce.name == task.name {
        let message = format!("two tasks are named \"{}\"", task.name);
        report.add(
            "duplicate-name",
            Some(&reduce.at),
            message,
            "name one of them otherwise",
        );
    }
    reduce.after = vec![0];
    reduce.input = Some(Spot {
        value: InputSource::Gather(0),
        at: reduce.at.clone(),
    });
    Some(vec![task, reduce])
}

/// Reports tables such as `[task.fetch]` that are meant as `[tasks.fetch]`: what else
/// could be said of the table would mislead.
fn meant_long(report: &mut Report<'_>, table: &Fields<'_, '_>, form: Form) -> bool {
    let mut found = false;
    for (key, value) in table.entries() {
        let name: &str = key.get_ref();
        let is_task = value
            .get_ref()
            .as_table()
            .is_some_and(|inner| inner.contains_key("module") || inner.contains_key("script"));
        if is_task && !form.keys().contains(&name) {
            let message = format!("[{}.{}] is no table of a task", table.name(), clip(name));
            let help = format!("did you mean [tasks.{}]?", clip(name));
            report.add("unknown-key", Some(&key.span()), message, help);
            found = true;
        }
    }
    found
}

/// Every `[tasks.NAME]`.
fn named(report: &mut Report<'_>, root: &Fields<'_, '_>, params: &Params) -> Option<Vec<Node>> {
    let table = root.table(report, "tasks")?;
    let entries: Vec<_> = table.entries().collect();
    if entries.is_empty() {
        let help = "write [tasks.NAME] and its `module`";
        report.add("missing-key", Some(&table.at), "[tasks] has no task", help);
        return None;
    }
    if entries.len() > MAX_NODES {
        let message = format!("there are {} tasks, and may be {MAX_NODES}", entries.len());
        report.add(
            "too-many",
            Some(&table.at),
            message,
            "make an array of tasks that are alike",
        );
        return None;
    }
    let keys = entries.iter().map(|(key, _)| key.get_ref().to_string());
    let names = Names::new(keys.collect());
    let mut nodes = Vec::with_capacity(entries.len());
    let mut links: Vec<Vec<Link>> = Vec::with_capacity(entries.len());
    for ((key, value), name) in entries.iter().zip(&names.order) {
        if !values::is_task_name(name) {
            let message = format!("\"{}\" cannot be a name", clip(name));
            report.add("bad-name", Some(&key.span()), message, NAME_HELP);
        }
        let mut scope = Scope::new(params, &names);
        let path = table.path(&clip(name));
        let node = Fields::of(report, path, value)
            .and_then(|table| node::read(report, &table, Form::Named, name.clone(), &mut scope));
        nodes.push(node);
        links.push(scope.links);
    }
    let order = graph::order(report, &names, &links);
    let mut nodes = graph::arrange(nodes.into_iter().collect::<Option<_>>()?, &order?);
    shapes(report, &mut nodes);
    futile(report, &nodes);
    driving::check(report, &nodes);
    Some(nodes)
}

/// What depends on whether the task that is read is an array.
fn shapes(report: &mut Report<'_>, nodes: &mut [Node]) {
    let arrays: Vec<bool> = nodes.iter().map(|node| node.array.is_some()).collect();
    let names: Vec<String> = nodes.iter().map(|node| node.name.clone()).collect();
    for node in nodes {
        if let Some(Spot { value, .. }) = &mut node.input
            && let InputSource::Result(of) = *value
            && arrays[usize::from(of)]
        {
            *value = InputSource::Gather(of);
        }
        if let Some(Spot { value, at }) = &node.array
            && let ArraySource::Elements(of) = *value
            && arrays[usize::from(of)]
        {
            let of = &names[usize::from(of)];
            let message = format!("`{of}` is an array: it has many results, not one list");
            let help = format!("write {{ results = \"{of}\" }} for an index per result");
            report.add("unfit-array", Some(at), message, help);
        }
    }
}

/// Reports tasks that can never run: their condition is false whatever happens, or
/// they wait for such tasks alone.
fn futile(report: &mut Report<'_>, nodes: &[Node]) {
    let mut never = vec![false; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        if let Some(when) = &node.when {
            let reads = crate::condition::check(&when.value).ok();
            if reads.and_then(|reads| reads.constant) == Some(false) {
                never[index] = true;
                let message = format!(
                    "the task `{}` can never run: its condition is false",
                    node.name
                );
                report.add(
                    "never-runs",
                    Some(&when.at),
                    message,
                    "take out the task, or its `when`",
                );
            }
            continue;
        }
        let mut before = node.after.iter().map(|of| usize::from(*of));
        if !node.after.is_empty() && before.all(|of| never[of]) {
            never[index] = true;
            let first = node
                .after
                .first()
                .map_or("", |of| &nodes[usize::from(*of)].name);
            let message = format!(
                "the task `{}` can never run: it waits for `{first}`, which never runs",
                node.name
            );
            report.add("never-runs", Some(&node.at), message, "");
        }
    }
}

fn job(report: &mut Report<'_>, table: &Fields<'_, '_>) -> JobTable {
    table.only(report, &JOB, |key| {
        Form::Task
            .keys()
            .contains(&key)
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
        concurrency: (table.integer(report, "concurrency", 1..=u32::MAX.into()))
            .and_then(|n| u32::try_from(n).ok()),
        publishes: publishes(report, table),
    }
}

/// Names of public spaces, each perhaps with `*` at its end.
fn publishes(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<String> {
    let all = table.texts(report, "publishes");
    if let Some(one_more) = all.get(MAX_PUBLISHES) {
        let message = format!(
            "`job.publishes` has {} patterns, and may have {MAX_PUBLISHES}",
            all.len()
        );
        report.add("too-large", Some(&one_more.at), message, "");
    }
    for pattern in &all {
        let start = pattern.value.strip_suffix('*');
        let name = start.unwrap_or(&pattern.value);
        // The start of a name may be empty: `*` is all spaces.
        let all_spaces = start == Some("");
        if let Some(why) = space_fault(name).filter(|_| !all_spaces) {
            let message = format!("\"{}\" names no public space", clip(&pattern.value));
            report.add("bad-value", Some(&pattern.at), message, &why);
        }
    }
    all.into_iter().map(|pattern| pattern.value).collect()
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
