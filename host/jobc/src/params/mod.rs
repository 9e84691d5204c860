//! Parameters: what a definition asks for, and what it is given.
//!
//! Owns the types of parameters, the reading of given values with all mistakes at
//! once ([`values`]), and their JSON Schema ([`schema`](schema())). Opens no file: a
//! file parameter is a path, whose content the client uploads as `param:NAME`.

mod date;
mod declare;
pub(crate) mod fill;
mod schema;
mod value;

pub(crate) use declare::declare;
pub use schema::schema;
pub use value::Value;

use crate::definition::Definition;
use crate::read::clip;
use crate::{suggest, values as texts};
use regex::Regex;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmhost_proto::api::{Diagnostic, Span};
use wasmhost_proto::limits::{MAX_DIAGNOSTICS, MAX_PARAMS_BYTES};

/// A parameter as a definition declares it.
#[derive(Clone, Debug)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Where the definition declares it, in bytes.
    pub at: Range<usize>,
    /// What its values are.
    pub kind: Kind,
    /// Its value when none is given, as the definition writes it.
    pub default: Option<Json>,
    /// Whether a value must be given.
    pub required: bool,
    /// Whether a submission may give a value.
    pub modifiable: bool,
    /// For people.
    pub help: String,
    /// The least number, duration, size, date or length.
    pub min: Option<Limit>,
    /// The greatest.
    pub max: Option<Limit>,
    /// What a whole text must match.
    pub pattern: Option<Pattern>,
    /// The values of a choice.
    pub choices: Vec<String>,
}

impl PartialEq for Param {
    fn eq(&self, other: &Param) -> bool {
        let of = |p: &Param| p.pattern.as_ref().map(|p| p.written.clone());
        (&self.name, &self.kind, &self.default) == (&other.name, &other.kind, &other.default)
            && (self.required, self.modifiable) == (other.required, other.modifiable)
            && (&self.help, &self.choices) == (&other.help, &other.choices)
            && (&self.min, &self.max, of(self)) == (&other.min, &other.max, of(other))
    }
}

/// What the values of a parameter are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A finite number.
    Float,
    /// True or false.
    Flag,
    /// One of some texts.
    Choice,
    /// A duration such as `30s`; milliseconds as a value.
    Duration,
    /// A size such as `64MiB`; bytes as a value.
    Size,
    /// A day such as `2026-01-31`.
    Date,
    /// A file on the client's machine.
    File,
    /// Several values of one kind.
    List(Box<Kind>),
}

impl Kind {
    /// Every kind that is no list.
    pub const SINGLE: [Kind; 9] = [
        Kind::Text,
        Kind::Integer,
        Kind::Float,
        Kind::Flag,
        Kind::Choice,
        Kind::Duration,
        Kind::Size,
        Kind::Date,
        Kind::File,
    ];

    /// Whether people write it with a unit.
    fn is_measure(&self) -> bool {
        match self {
            Kind::Duration | Kind::Size => true,
            Kind::List(of) => of.is_measure(),
            _ => false,
        }
    }

    /// Its name in a definition.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer => "integer",
            Kind::Float => "float",
            Kind::Flag => "flag",
            Kind::Choice => "choice",
            Kind::Duration => "duration",
            Kind::Size => "size",
            Kind::Date => "date",
            Kind::File => "file",
            Kind::List(_) => "list",
        }
    }
}

/// A bound of a parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// As a value is: a number, or the text of a date.
    pub value: Json,
    /// As the definition writes it.
    pub written: String,
}

/// A pattern of texts.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As the definition writes it.
    pub written: String,
    regex: Regex,
}

/// The values of all parameters by name: given ones, else defaults. A parameter that
/// is neither given nor required is null.
pub type Values = BTreeMap<String, Value>;

/// A mistake in a given value, or that none was given.
#[derive(Clone, PartialEq, Debug)]
pub struct Mistake {
    /// The parameter's name; none when it is about all of them.
    pub param: Option<String>,
    /// What is wrong; where the value stands, whoever gave it knows.
    pub told: Diagnostic,
    /// Where the definition declares the parameter, in bytes.
    declared: Option<Range<usize>>,
}

impl Mistake {
    /// The mistake with the place where the text of the definition declares the parameter.
    pub fn declared_in(self, text: &str) -> Diagnostic {
        Diagnostic {
            span: self.declared.map(|at| Span::of(text, &at)),
            ..self.told
        }
    }
}

/// All mistakes with the places where the text of the definition declares their parameters.
pub(crate) fn told(mistakes: Vec<Mistake>, text: &str) -> Vec<Diagnostic> {
    let told = mistakes.into_iter();
    told.map(|mistake| mistake.declared_in(text)).collect()
}

/// Reads the given values. Texts are read by type, as from a command line: `"10"`,
/// `"true"`, `"30s"`, `"a,b"`. On failure all mistakes at once, each naming its
/// parameter.
pub fn values(
    definition: &Definition,
    given: &BTreeMap<String, Json>,
) -> Result<Values, Vec<Mistake>> {
    read(definition, given, true)
}

/// The same for a definition that is only looked at: what must be given and is not
/// has no entry.
pub fn known(
    definition: &Definition,
    given: &BTreeMap<String, Json>,
) -> Result<Values, Vec<Mistake>> {
    read(definition, given, false)
}

fn read(
    definition: &Definition,
    given: &BTreeMap<String, Json>,
    strict: bool,
) -> Result<Values, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut fault = |name: Option<&String>, code: &str, message: String, help: String| {
        if mistakes.len() < MAX_DIAGNOSTICS {
            let declared = definition.params.iter().find(|p| Some(&p.name) == name);
            mistakes.push(Mistake {
                param: name.cloned(),
                told: Diagnostic {
                    code: code.into(),
                    message,
                    help: (!help.is_empty()).then_some(help),
                    span: None,
                    file: None,
                },
                declared: declared.map(|param| param.at.clone()),
            });
        }
    };
    let bytes: usize = given.values().map(|value| value.to_string().len()).sum();
    if bytes > MAX_PARAMS_BYTES {
        let message =
            format!("the parameters have {bytes} bytes, and may have {MAX_PARAMS_BYTES} in all");
        let help = "give large values as files".into();
        fault(None, "too-large", message, help);
        return Err(mistakes);
    }
    let known: Vec<&str> = definition.params.iter().map(|p| p.name.as_str()).collect();
    for name in given
        .keys()
        .filter(|name| !known.contains(&name.as_str()))
        .take(MAX_DIAGNOSTICS)
    {
        let help = match known.is_empty() {
            true => "the definition has no [params]".to_owned(),
            false => suggest::help(name, &known),
        };
        fault(
            Some(name),
            "unknown-param",
            format!("there is no parameter `{}`", clip(name)),
            help,
        );
    }
    let mut read = Values::new();
    for param in &definition.params {
        let name = &param.name;
        let given = given.get(name);
        if given.is_some() && !param.modifiable {
            let message = format!("the parameter `{name}` cannot be given");
            fault(
                Some(name),
                "fixed-param",
                message,
                "its value is the definition's own".into(),
            );
            continue;
        }
        let value = match given.or(param.default.as_ref()) {
            Some(value) => param.read(value),
            None if param.required && !strict => continue,
            None if param.required => {
                let message = format!("the parameter `{name}` is missing");
                fault(Some(name), "missing-param", message, param.wanted());
                continue;
            }
            None => Ok(Value::none()),
        };
        match value {
            Ok(value) => drop(read.insert(name.clone(), value)),
            Err(why) => fault(
                Some(name),
                "bad-param",
                format!("the parameter `{name}` {why}"),
                param.wanted(),
            ),
        }
    }
    match mistakes.is_empty() {
        true => Ok(read),
        false => Err(mistakes),
    }
}

/// The files that values name: the key in `SubmitRequest::files`, and the path.
pub fn files(definition: &Definition, values: &Values) -> Vec<(String, String)> {
    let files = definition.params.iter().filter(|p| p.kind == Kind::File);
    files
        .filter_map(|param| {
            let path = values.get(&param.name)?.json.as_str()?;
            Some((param.file_key(), path.to_owned()))
        })
        .collect()
}

impl Param {
    /// Its content's key in `SubmitRequest::files`, when it is a file.
    pub fn file_key(&self) -> String {
        format!("param:{}", self.name)
    }

    /// What its values look like, in a few words; with its bounds.
    pub fn wanted(&self) -> String {
        let one = |kind: &Kind| match kind {
            Kind::Text => match &self.pattern {
                Some(pattern) => format!("a text that fits {}", pattern.written),
                None => "a text".to_owned(),
            },
            Kind::Integer => "a whole number".to_owned(),
            Kind::Float => "a number".to_owned(),
            Kind::Flag => "true or false".to_owned(),
            Kind::Choice => format!("one of {}", self.choices.join(", ")),
            Kind::Duration => "a duration such as 30s".to_owned(),
            Kind::Size => "a size such as 64MiB".to_owned(),
            Kind::Date => "a date such as 2026-01-31".to_owned(),
            Kind::File => "the path of a file".to_owned(),
            Kind::List(_) => "a list".to_owned(),
        };
        let mut text = match &self.kind {
            Kind::List(of) => format!("a list, each {}", one(of)),
            kind => one(kind),
        };
        let unit = match self.kind {
            Kind::Text => " characters",
            Kind::List(_) => " values",
            _ => "",
        };
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => {
                text += &format!(", from {} to {}{unit}", min.written, max.written);
            }
            (Some(min), None) => text += &format!(", at least {}{unit}", min.written),
            (None, Some(max)) => text += &format!(", at most {}{unit}", max.written),
            (None, None) => {}
        }
        text
    }

    /// Whether a measured value is within the bounds; else says how not.
    fn within(&self, measure: &Json, shown: &str) -> Result<(), String> {
        use std::cmp::Ordering::{Greater, Less};
        let (verb, unit) = match self.kind {
            Kind::Text => ("have", " characters"),
            Kind::List(_) => ("have", " values"),
            _ => ("be", ""),
        };
        for (limit, wrong, word) in [(&self.min, Less, "least"), (&self.max, Greater, "most")] {
            if let Some(limit) = limit
                && texts::order(measure, &limit.value) == Some(wrong)
            {
                let bound = &limit.written;
                return Err(format!("must {verb} at {word} {bound}{unit}, not {shown}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
