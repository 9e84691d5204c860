//! The values of parameters, from flags and a file, and where each was given. What they
//! have to be, the definition says: here they are read and no more.

use crate::cli::exit::{Exit, Fault, Source};
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};
use wasmhost_jobc::params::Mistake;
use wasmhost_proto::api::{Diagnostic, Span};
use wasmhost_proto::limits::MAX_DEFINITION;

#[derive(clap::Args, Debug, Default)]
pub(crate) struct Params {
    /// The value of a parameter; repeat it for more. `submit FILE|NAME --help` lists them
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    param: Vec<(String, String)>,
    /// Values of parameters: a file of TOML or JSON, or - for standard input
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err(format!("'{text}' is not of the form NAME=VALUE")),
    }
}

/// Values of parameters.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// By the names of their parameters.
    pub(crate) values: BTreeMap<String, Json>,
    /// Where each stands, and in which of the texts.
    places: BTreeMap<String, (usize, Range<usize>)>,
    texts: Vec<Source>,
}

/// What mistakes call the flags.
const FLAGS: &str = "the command line";
const FLAG: &str = "-p ";

impl Params {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.param.is_empty() && self.params.is_none()
    }

    /// All of them; a flag wins over the file.
    pub(crate) fn values(&self) -> anyhow::Result<Given> {
        let mut given = match &self.params {
            Some(file) => read(file)?,
            None => Given::default(),
        };
        let mut text = String::new();
        let mut flags = BTreeMap::new();
        for (name, value) in &self.param {
            let at = text.len() + FLAG.len() + name.len() + 1;
            text += &format!("{FLAG}{name}={value}\n");
            if flags.insert(name, (value, at..at + value.len())).is_some() {
                let title = format!("the parameter '{name}' is given twice");
                let fault = Fault::new(Exit::USAGE, "usage", title);
                return Err(fault.help("a list is written NAME=A,B").into());
            }
        }
        for (name, (value, at)) in flags {
            let (name, value) = (name.clone(), value.as_str());
            given.places.insert(name.clone(), (given.texts.len(), at));
            given.values.insert(name, value.into());
        }
        given.texts.push(Source::other(FLAGS, text, FLAGS));
        Ok(given)
    }
}

impl Given {
    /// Every mistake in the values for a definition, each where the value is given, or,
    /// when none is, where the definition asks for it.
    pub(crate) fn refused(&self, definition: Source, mistakes: Vec<Mistake>) -> Fault {
        let name = &definition.name;
        let title = format!("the parameters of {name} are not right");
        let help = format!("`wasmhost submit {name} --help` lists them");
        let told = mistakes.into_iter();
        let told = told.map(|mistake| self.place(mistake, &definition.text));
        let errors = told.collect();
        let mut texts = self.texts.clone();
        texts.push(definition);
        Fault::mistakes("bad_parameters", title, errors, texts).help(help)
    }

    fn place(&self, mistake: Mistake, definition: &str) -> Diagnostic {
        let name = mistake.param.as_ref();
        let Some((text, at)) = name.and_then(|name| self.places.get(name)) else {
            return mistake.declared_in(definition);
        };
        let text = &self.texts[*text];
        Diagnostic {
            span: Some(Span::of(&text.text, at)),
            file: text.file.clone(),
            ..mistake.told
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Given> {
    let name = file.display().to_string();
    let failed = |why: String| {
        let title = format!("cannot read parameters from {name}: {why}");
        Fault::new(Exit::USAGE, "file", title)
    };
    let from: Box<dyn Read> = match file == Path::new("-") {
        true => Box::new(std::io::stdin()),
        false => Box::new(std::fs::File::open(file).map_err(|e| failed(e.to_string()))?),
    };
    let mut text = String::new();
    let most = MAX_DEFINITION as u64;
    let len = from.take(most + 1).read_to_string(&mut text);
    if len.map_err(|e| failed(e.to_string()))? as u64 > most {
        return Err(failed(format!("it has more than {most} bytes")).into());
    }
    Ok(parse(&name, text).map_err(failed)?)
}

/// A table of values: JSON if it begins as an object does, else TOML.
fn parse(name: &str, text: String) -> Result<Given, String> {
    let values: BTreeMap<String, Json> = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| error.to_string())?,
        false => {
            let table: toml::Table = toml::from_str(&text).map_err(|error| error.to_string())?;
            table.into_iter().map(|(k, v)| (k, json(v))).collect()
        }
    };
    let places = places(&text).into_iter();
    Ok(Given {
        values,
        places: places.map(|(name, at)| (name, (0, at))).collect(),
        texts: vec![Source::other(name, text, name)],
    })
}

/// Where values stand in a file that was read.
fn places(text: &str) -> BTreeMap<String, Range<usize>> {
    let Ok(table) = DeTable::parse(text) else {
        return json_places(text).unwrap_or_default();
    };
    let entries = table.get_ref().iter();
    entries
        .map(|(key, value)| {
            let at = match value.get_ref() {
                // No parameter is a table: its head says it all.
                DeValue::Table(_) => key.span(),
                _ => value.span(),
            };
            (key.get_ref().to_string(), at)
        })
        .collect()
}

/// The same for an object in JSON.
fn json_places(text: &str) -> Option<BTreeMap<String, Range<usize>>> {
    let mut places = BTreeMap::new();
    let mut rest = text.trim_start().strip_prefix('{')?.trim_start();
    while !rest.starts_with('}') {
        let mut keys = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        let key = keys.next()?.ok()?;
        let value = rest[keys.byte_offset()..].trim_start().strip_prefix(':')?;
        let value = value.trim_start();
        let mut values = serde_json::Deserializer::from_str(value).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let from = text.len() - value.len();
        places.insert(key, from..from + values.byte_offset());
        rest = value[values.byte_offset()..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    Some(places)
}

fn json(value: toml::Value) -> Json {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(table) => {
            let pairs = table.into_iter().map(|(k, v)| (k, json(v)));
            Json::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_of_values() {
        let check = |text: &str, want: Result<Json, &str>| {
            let got = parse("p", text.to_owned()).map(|given| given.values);
            match (got, want) {
                (Ok(got), Ok(want)) => assert_eq!(json!(got), want, "{text}"),
                (Err(got), Err(want)) => assert!(got.contains(want), "{got}"),
                (got, want) => panic!("{got:?} instead of {want:?}"),
            }
        };
        let all = json!({"n": 1, "f": 0.5, "t": "x", "b": true, "l": [1, 2]});
        check(
            "n = 1\nf = 0.5\nt = 'x'\nb = true\nl = [1, 2]",
            Ok(all.clone()),
        );
        check(&format!(" \n{all}"), Ok(all));
        check("day = 2026-01-31", Ok(json!({"day": "2026-01-31"})));
        check("", Ok(json!({})));
        check("[1", Err("TOML"));
        check("{\"a\": 1", Err("EOF"));
        check("a = 1\na = 2", Err("duplicate"));
    }

    #[test]
    fn values_have_places() {
        let check = |text: &str, want: &[(&str, &str)]| {
            let given = parse("p", text.to_owned()).unwrap();
            let got = given.places.iter();
            let got: Vec<(&str, &str)> = got
                .map(|(name, (_, at))| (name.as_str(), &text[at.clone()]))
                .collect();
            assert_eq!(got, want, "{text}");
        };
        check(
            "a = 'x'\n'b c' = [1,\n 2]\n[d]\ne = 1",
            &[("a", "'x'"), ("b c", "[1,\n 2]"), ("d", "d")],
        );
        check(
            " { \"a\" : \"}\\\"\",\n\"b\":{\"a\": 2} , \"c\": 1.5}",
            &[("a", "\"}\\\"\""), ("b", "{\"a\": 2}"), ("c", "1.5")],
        );
        check("{}", &[]);
    }

    #[test]
    fn flags_win_and_come_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p.json");
        std::fs::write(&file, r#"{"a": 1, "b": 2}"#).unwrap();
        let given = |pairs: &[&str]| Params {
            param: pairs.iter().map(|text| pair(text).unwrap()).collect(),
            params: Some(file.clone()),
        };
        let values = given(&["b=x=y", "c="]).values().unwrap().values;
        assert_eq!(json!(values), json!({"a": 1, "b": "x=y", "c": ""}));
        let twice = given(&["b=1", "b=2"]).values().unwrap_err();
        assert!(twice.to_string().contains("'b' is given twice"));
        assert!(pair("=1").is_err() && pair("a").is_err());
    }

    /// Each mistake where its value is given; what is missing where it is asked for.
    #[test]
    fn mistakes_are_shown_where_the_values_are() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p.toml");
        std::fs::write(&file, "# of today\nday = 2026-02-30\nrwos = 1\n").unwrap();
        let text = "[params.day]\ntype = 'date'\n[params.rows]\ntype = 'integer'\nmax = 9\n\
                    [params.city]\ntype = 'text'\n[task]\nmodule = 'a'\n";
        // TOML itself knows its calendar.
        assert!(read(&file).is_err());
        std::fs::write(&file, "# of today\nday = 'now'\nrwos = 1\n").unwrap();
        let params = Params {
            param: vec![("rows".into(), "10".into())],
            params: Some(file),
        };
        let given = params.values().unwrap();
        let parsed = wasmhost_jobc::parse(text).unwrap();
        let mistakes = wasmhost_jobc::params::values(&parsed, &given.values).unwrap_err();
        let fault = given.refused(Source::definition("job.toml", text), mistakes);
        let shown = crate::output::problem::render(&fault.problem, &fault.origins);
        let shown = anstream::adapter::strip_str(&shown).to_string();
        let folder = dir.path().display().to_string();
        insta::assert_snapshot!(shown.replace(&folder, "DIR"));
    }
}
