//! Typed access to a parsed TOML table: every wrong type and unknown key becomes
//! a mistake with its place, and reading goes on.

mod json;

pub(crate) use json::{each_text, json};

use crate::definition::Spot;
use crate::report::Report;
use crate::{suggest, values};
use std::ops::{Range, RangeInclusive};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// A value of the parsed text, and its place.
pub(crate) type Value<'i> = Spanned<DeValue<'i>>;

type Key<'i> = Spanned<DeString<'i>>;

/// A table whose keys are known.
pub(crate) struct Fields<'a, 'i> {
    /// Its name for people, such as `task.limits`; empty for the whole text.
    path: String,
    pub(crate) at: Range<usize>,
    table: &'a DeTable<'i>,
}

impl<'a, 'i> Fields<'a, 'i> {
    /// The whole text.
    pub(crate) fn root(table: &'a Spanned<DeTable<'i>>) -> Fields<'a, 'i> {
        Fields {
            path: String::new(),
            at: table.span(),
            table: table.get_ref(),
        }
    }

    /// A value that must be a table.
    pub(crate) fn of(report: &mut Report<'_>, path: String, value: &'a Value<'i>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Fields {
                path,
                at: value.span(),
                table,
            }),
            other => {
                wrong_type(report, &path, "a table", other, value.span());
                None
            }
        }
    }

    /// Its own dotted name.
    pub(crate) fn name(&self) -> &str {
        &self.path
    }

    /// True or false under a key.
    pub(crate) fn flag(&self, report: &mut Report<'_>, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        let DeValue::Boolean(flag) = value.get_ref() else {
            let path = self.path(key);
            wrong_type(
                report,
                &path,
                "true or false",
                value.get_ref(),
                value.span(),
            );
            return None;
        };
        Some(*flag)
    }

    /// The dotted name of a key of this table.
    pub(crate) fn path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Reports every key that is not known; `hint` may know better what was meant.
    pub(crate) fn only(
        &self,
        report: &mut Report<'_>,
        known: &[&str],
        hint: impl Fn(&str) -> Option<String>,
    ) {
        for (key, _) in self.entries() {
            let name: &str = key.get_ref();
            if !known.contains(&name) && report.is_full() {
                // A proposal that nobody sees would only cost.
                report.more();
            } else if !known.contains(&name) {
                let whose = if self.path.is_empty() {
                    String::new()
                } else {
                    format!(" in [{}]", self.path)
                };
                let help = hint(name).unwrap_or_else(|| suggest::help(name, known));
                report.add(
                    "unknown-key",
                    Some(&key.span()),
                    format!("unknown key `{}`{whose}", clip(name)),
                    help,
                );
            }
        }
    }

    /// Every key with its value, in the order of the text.
    pub(crate) fn entries(
        &self,
    ) -> impl Iterator<Item = (&'a Key<'i>, &'a Value<'i>)> + use<'a, 'i> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries.into_iter()
    }

    /// Whether it has a key that is not known, which is a mistake of its own.
    pub(crate) fn has_other(&self, known: &[&str]) -> bool {
        self.table
            .keys()
            .any(|key| !known.contains(&key.get_ref().as_ref()))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Value<'i>> {
        (self.table.iter())
            .find(|(k, _)| k.get_ref() == key)
            .map(|(_, v)| v)
    }

    /// The table under a key.
    pub(crate) fn table(&self, report: &mut Report<'_>, key: &str) -> Option<Fields<'a, 'i>> {
        Fields::of(report, self.path(key), self.get(key)?)
    }

    /// The text under a key.
    pub(crate) fn text(&self, report: &mut Report<'_>, key: &str) -> Option<Spot<String>> {
        text(report, &self.path(key), self.get(key)?)
    }

    /// A text that must not be empty.
    pub(crate) fn filled(&self, report: &mut Report<'_>, key: &str) -> Option<Spot<String>> {
        let text = self.text(report, key)?;
        if text.value.trim().is_empty() {
            report.add(
                "empty",
                Some(&text.at),
                format!("`{}` is empty", self.path(key)),
                "",
            );
            return None;
        }
        Some(text)
    }

    /// A text with a meaning, such as a duration, within bounds.
    pub(crate) fn measure(
        &self,
        report: &mut Report<'_>,
        key: &str,
        unit: &Measure,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let value = self.get(key)?;
        let path = self.path(key);
        if let DeValue::Integer(_) | DeValue::Float(_) = value.get_ref() {
            report.add(
                "no-unit",
                Some(&value.span()),
                format!("`{path}` has no unit"),
                unit.help,
            );
            return None;
        }
        let text = text(report, &path, value)?;
        let Some(amount) = (unit.read)(&text.value) else {
            let message = format!("`{path}` is not a {}: \"{}\"", unit.name, clip(&text.value));
            report.add("bad-value", Some(&text.at), message, unit.help);
            return None;
        };
        if !range.contains(&amount) {
            let (low, high) = ((unit.show)(*range.start()), (unit.show)(*range.end()));
            let message = format!(
                "`{path}` must be from {low} to {high}, not {}",
                (unit.show)(amount)
            );
            report.add("out-of-range", Some(&text.at), message, "");
            return None;
        }
        Some(amount)
    }

    /// A whole number within bounds.
    pub(crate) fn integer(
        &self,
        report: &mut Report<'_>,
        key: &str,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let value = self.get(key)?;
        let path = self.path(key);
        let number = integer(report, &path, value)?;
        if !range.contains(&number) {
            let message = format!(
                "`{path}` must be from {} to {}, not {number}",
                range.start(),
                range.end()
            );
            report.add("out-of-range", Some(&value.span()), message, "");
            return None;
        }
        Some(number)
    }

    /// The texts of a list under a key; empty when it is missing or wrong.
    pub(crate) fn texts(&self, report: &mut Report<'_>, key: &str) -> Vec<Spot<String>> {
        let path = self.path(key);
        let Some(list) = self.get(key).and_then(|value| list(report, &path, value)) else {
            return Vec::new();
        };
        let items = list.iter().enumerate();
        items
            .filter_map(|(i, item)| text(report, &format!("{path}[{i}]"), item))
            .collect()
    }
}

/// A kind of text with an amount in it.
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) read: fn(&str) -> Option<u64>,
    pub(crate) show: fn(u64) -> String,
    pub(crate) help: &'static str,
}

/// Durations.
pub(crate) const DURATION: Measure = Measure {
    name: "duration",
    read: values::duration_ms,
    show: values::show_ms,
    help: values::DURATION_HELP,
};
/// Sizes.
pub(crate) const SIZE: Measure = Measure {
    name: "size",
    read: values::size,
    show: values::show_size,
    help: values::SIZE_HELP,
};

pub(crate) fn text(report: &mut Report<'_>, path: &str, value: &Value<'_>) -> Option<Spot<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(Spot {
            value: text.clone().into_owned(),
            at: value.span(),
        }),
        other => {
            wrong_type(report, path, "text", other, value.span());
            None
        }
    }
}

pub(crate) fn integer(report: &mut Report<'_>, path: &str, value: &Value<'_>) -> Option<i64> {
    let DeValue::Integer(number) = value.get_ref() else {
        wrong_type(
            report,
            path,
            "a whole number",
            value.get_ref(),
            value.span(),
        );
        return None;
    };
    let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
    if read.is_none() {
        report.add(
            "out-of-range",
            Some(&value.span()),
            format!("`{path}` does not fit into 64 bits"),
            "",
        );
    }
    read
}

pub(crate) fn list<'a, 'i>(
    report: &mut Report<'_>,
    path: &str,
    value: &'a Value<'i>,
) -> Option<&'a [Value<'i>]> {
    match value.get_ref() {
        DeValue::Array(list) => Some(list),
        other => {
            wrong_type(report, path, "a list", other, value.span());
            None
        }
    }
}

pub(crate) fn wrong_type(
    report: &mut Report<'_>,
    path: &str,
    want: &str,
    got: &DeValue<'_>,
    at: Range<usize>,
) {
    let got = match got {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    report.add(
        "wrong-type",
        Some(&at),
        format!("`{path}` must be {want}, not {got}"),
        "",
    );
}

/// Text from a definition, short enough for a message.
pub(crate) fn clip(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
