//! Reads `[params.NAME]`: what a definition says of its parameters.

use super::{Kind, Limit, Param, Pattern};
use crate::read::{self, Fields, clip};
use crate::report::Report;
use crate::scope::Params;
use crate::{suggest, values};
use regex::RegexBuilder;
use serde_json::Value as Json;
use wasmhost_proto::limits::{MAX_DESCRIPTION, MAX_ITEM_BYTES, MAX_PARAMS, MAX_PATTERN};

const KEYS: [&str; 10] = [
    "type",
    "of",
    "default",
    "required",
    "min",
    "max",
    "pattern",
    "choices",
    "help",
    "modifiable",
];
const NAME_HELP: &str = "use up to 64 letters, digits and _ and begin with a letter";

/// Reads the table `[params]`, in the order of the text.
pub(crate) fn declare(report: &mut Report<'_>, root: &Fields<'_, '_>) -> Params {
    let Some(table) = root.table(report, "params") else {
        return Params::default();
    };
    let mut found = Params::default();
    for (key, value) in table.entries() {
        let name: &str = key.get_ref();
        if found.list.len() == MAX_PARAMS {
            let message = format!("there are more than {MAX_PARAMS} parameters");
            report.add(
                "too-many",
                Some(&key.span()),
                message,
                "give a list, or a file",
            );
            break;
        }
        // What stands in `${params.NAME}` and in conditions without quotes.
        let fits = values::is_task_name(name) && !name.contains(['.', '-']);
        if !fits {
            let message = format!("\"{}\" cannot be the name of a parameter", clip(name));
            report.add("bad-name", Some(&key.span()), message, NAME_HELP);
        }
        let fields = Fields::of(report, table.path(&clip(name)), value);
        match fields.and_then(|fields| param(report, name, &fields)) {
            Some(param) if fits => found.list.push(param),
            _ => drop(found.broken.insert(name.to_owned())),
        }
    }
    found
}

fn param(report: &mut Report<'_>, name: &str, fields: &Fields<'_, '_>) -> Option<Param> {
    fields.only(report, &KEYS, |key| {
        (key == "description").then(|| "did you mean `help`?".to_owned())
    });
    let kind = kind(report, fields)?;
    let single = match &kind {
        Kind::List(of) => of.as_ref(),
        kind => kind,
    };
    unfit(report, fields, &kind, single);
    let choices = choices(report, fields, single);
    let pattern = pattern(report, fields);
    let help = fields.text(report, "help");
    if let Some(long) = help.as_ref().filter(|h| h.value.len() > MAX_DESCRIPTION) {
        let len = long.value.len();
        let message = format!(
            "`{}` has {len} bytes, and may have {MAX_DESCRIPTION}",
            fields.path("help")
        );
        report.add("too-large", Some(&long.at), message, "");
    }
    let default = fields.get("default");
    let mut param = Param {
        name: name.to_owned(),
        at: fields.at.clone(),
        min: limit(report, fields, "min", &kind),
        max: limit(report, fields, "max", &kind),
        required: fields.flag(report, "required").unwrap_or(default.is_none()),
        modifiable: fields.flag(report, "modifiable").unwrap_or(true),
        default: default.and_then(|v| read::json(report, &fields.path("default"), v)),
        help: help.map(|h| h.value).unwrap_or_default(),
        kind,
        pattern,
        choices,
    };
    if let (Some(min), Some(max)) = (&param.min, &param.max)
        && values::order(&min.value, &max.value) == Some(std::cmp::Ordering::Greater)
    {
        let at = fields.get("max").map(|v| v.span());
        let message = format!("`{}` is less than `min`", fields.path("max"));
        report.add("out-of-range", at.as_ref(), message, "");
        // No value fits, which needs not be said of the default, too.
        param.min = None;
    }
    if let (Some(value), Some(written)) = (&param.default, default) {
        if let Err(why) = param.read(value) {
            let message = format!("`{}` {why}", fields.path("default"));
            report.add("bad-value", Some(&written.span()), message, param.wanted());
        } else if fields.flag(report, "required") == Some(true) {
            let at = fields.get("required").map(|v| v.span());
            let message = format!("`{name}` is required, and has a default that is never used");
            report.add("conflict", at.as_ref(), message, "leave out one of the two");
        }
    }
    if !param.modifiable && default.is_none() {
        let at = fields.get("modifiable").map(|v| v.span());
        let message = format!("`{name}` cannot be given, and has no default");
        report.add("missing-key", at.as_ref(), message, "write its `default`");
    }
    Some(param)
}

fn kind(report: &mut Report<'_>, fields: &Fields<'_, '_>) -> Option<Kind> {
    let names: Vec<&str> = Kind::SINGLE
        .iter()
        .map(Kind::name)
        .chain(["list"])
        .collect();
    let written = match fields.text(report, "type") {
        Some(written) => written,
        None if fields.get("type").is_some() => return None,
        None => {
            let message = format!("`{}` is missing", fields.path("type"));
            let help = format!("write one of {}", suggest::listed(&names));
            report.add("missing-key", Some(&fields.at), message, help);
            return None;
        }
    };
    if written.value == "list" {
        return Some(Kind::List(Box::new(element(report, fields)?)));
    }
    let kind = Kind::SINGLE.into_iter().find(|k| k.name() == written.value);
    if kind.is_none() {
        let message = format!(
            "`{}` cannot be \"{}\"",
            fields.path("type"),
            clip(&written.value)
        );
        report.add(
            "bad-value",
            Some(&written.at),
            message,
            suggest::help(&written.value, &names),
        );
    }
    kind
}

/// The kind of a list's values. A file is uploaded under the parameter's name, of
/// which there is one.
fn element(report: &mut Report<'_>, fields: &Fields<'_, '_>) -> Option<Kind> {
    let fitting = || Kind::SINGLE.into_iter().filter(|k| *k != Kind::File);
    let names: Vec<&str> = fitting().map(|k| k.name()).collect();
    if fields.get("of").is_none() {
        return Some(Kind::Text);
    }
    let written = fields.text(report, "of")?;
    let kind = fitting().find(|k| k.name() == written.value);
    if kind.is_none() {
        let message = format!(
            "`{}` cannot be \"{}\"",
            fields.path("of"),
            clip(&written.value)
        );
        let help = match written.value.as_str() {
            "file" => "for many files write array = { files = [\"*.csv\"] }".to_owned(),
            other => suggest::help(other, &names),
        };
        report.add("bad-value", Some(&written.at), message, help);
    }
    kind
}

/// Reports keys that say nothing of this kind.
fn unfit(report: &mut Report<'_>, fields: &Fields<'_, '_>, kind: &Kind, single: &Kind) {
    let bounded = !matches!(kind, Kind::Flag | Kind::Choice | Kind::File);
    for (key, fits, whose) in [
        ("of", matches!(kind, Kind::List(_)), "lists"),
        ("min", bounded, "what has an order or a length"),
        ("max", bounded, "what has an order or a length"),
        ("pattern", *single == Kind::Text, "texts"),
        ("choices", *single == Kind::Choice, "choices"),
    ] {
        if let (Some(value), false) = (fields.get(key), fits) {
            let message = format!(
                "`{}` is for {whose}, and the parameter is a {}",
                fields.path(key),
                kind.name()
            );
            report.add("unfit-key", Some(&value.span()), message, "");
        }
    }
}

fn choices(report: &mut Report<'_>, fields: &Fields<'_, '_>, single: &Kind) -> Vec<String> {
    if *single != Kind::Choice {
        return Vec::new();
    }
    let path = fields.path("choices");
    let Some(value) = fields.get("choices") else {
        let message = format!("`{path}` is missing");
        report.add(
            "missing-key",
            Some(&fields.at),
            message,
            "write the texts to choose from",
        );
        return Vec::new();
    };
    let texts = fields.texts(report, "choices");
    if value
        .get_ref()
        .as_array()
        .is_some_and(|list| list.is_empty())
    {
        report.add(
            "empty",
            Some(&value.span()),
            format!("`{path}` has no choice"),
            "",
        );
    }
    for text in &texts {
        let fault = match text.value.as_str() {
            t if t.trim() != t || t.is_empty() => "begins or ends with a space, or is empty",
            t if t.contains("${") => "cannot contain ${",
            t if t.contains(',') => "cannot contain a comma, which parts lists",
            t if t.len() > MAX_ITEM_BYTES => "is too long",
            _ => continue,
        };
        let message = format!("the choice \"{}\" {fault}", clip(&text.value));
        report.add("bad-value", Some(&text.at), message, "");
    }
    texts.into_iter().map(|text| text.value).collect()
}

fn pattern(report: &mut Report<'_>, fields: &Fields<'_, '_>) -> Option<Pattern> {
    let written = fields.text(report, "pattern")?;
    // Its size is bounded, too: nested repetitions multiply.
    let built = RegexBuilder::new(&format!("^(?:{})$", written.value))
        .size_limit(MAX_PATTERN)
        .dfa_size_limit(MAX_PATTERN)
        .build();
    match built {
        Ok(regex) => Some(Pattern {
            written: written.value,
            regex,
        }),
        Err(error) => {
            let why = match error {
                regex::Error::CompiledTooBig(_) => "it means too much".to_owned(),
                other => {
                    let text = other.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    clip(last.trim_start_matches("error: "))
                }
            };
            let message = format!("`{}` is no pattern: {why}", fields.path("pattern"));
            report.add(
                "bad-value",
                Some(&written.at),
                message,
                "write a regular expression",
            );
            None
        }
    }
}

/// A bound, read as values are; for texts and lists a length.
fn limit(
    report: &mut Report<'_>,
    fields: &Fields<'_, '_>,
    key: &str,
    kind: &Kind,
) -> Option<Limit> {
    if matches!(kind, Kind::Flag | Kind::Choice | Kind::File) {
        return None;
    }
    let path = fields.path(key);
    let written = fields.get(key)?;
    let json = read::json(report, &path, written)?;
    let plain = |kind: &Kind| Param {
        name: String::new(),
        at: 0..0,
        kind: kind.clone(),
        default: None,
        required: false,
        modifiable: true,
        help: String::new(),
        min: None,
        max: None,
        pattern: None,
        choices: Vec::new(),
    };
    let read = match kind {
        Kind::Text | Kind::List(_) => match json.as_u64() {
            Some(length) => Ok((Json::from(length), length.to_string())),
            None => Err("is a length, a whole number".to_owned()),
        },
        kind => plain(kind)
            .read(&json)
            .map(|value| (value.json, value.text)),
    };
    match read {
        Ok((value, written)) => Some(Limit { value, written }),
        Err(why) => {
            report.add(
                "bad-value",
                Some(&written.span()),
                format!("`{path}` {why}"),
                match kind {
                    Kind::Text | Kind::List(_) => "write a whole number".to_owned(),
                    kind => plain(kind).wanted(),
                },
            );
            None
        }
    }
}
