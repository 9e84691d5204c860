//! The values of parameters, from flags and a file. What they have to be, the
//! definition says: here they are read and no more.

use crate::cli::exit::{Exit, Fault};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use wasmhost_proto::limits::MAX_DEFINITION;

#[derive(clap::Args, Debug, Default)]
pub(crate) struct Params {
    /// The value of a parameter; repeat it for more. `submit FILE|NAME --help` lists them
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = pair, conflicts_with = "module")]
    param: Vec<(String, String)>,
    /// Values of parameters: a file of TOML or JSON, or - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "module")]
    params: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err(format!("'{text}' is not of the form NAME=VALUE")),
    }
}

impl Params {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.param.is_empty() && self.params.is_none()
    }

    /// All of them; a flag wins over the file.
    pub(crate) fn values(&self) -> anyhow::Result<BTreeMap<String, Json>> {
        let mut values = match &self.params {
            Some(file) => read(file)?,
            None => BTreeMap::new(),
        };
        let mut given = BTreeMap::new();
        for (name, value) in &self.param {
            if given.insert(name.clone(), value.as_str().into()).is_some() {
                let title = format!("the parameter '{name}' is given twice");
                let fault = Fault::new(Exit::USAGE, "usage", title);
                return Err(fault.help("a list is written NAME=A,B").into());
            }
        }
        values.extend(given);
        Ok(values)
    }
}

fn read(file: &Path) -> anyhow::Result<BTreeMap<String, Json>> {
    let failed = |why: String| {
        let title = format!("cannot read parameters from {}: {why}", file.display());
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
    Ok(parse(&text).map_err(failed)?)
}

/// A table of values: JSON if it begins as an object does, else TOML.
fn parse(text: &str) -> Result<BTreeMap<String, Json>, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(table.into_iter().map(|(k, v)| (k, json(v))).collect())
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
        let check = |text: &str, want: Result<Json, &str>| match (parse(text), want) {
            (Ok(got), Ok(want)) => assert_eq!(json!(got), want, "{text}"),
            (Err(got), Err(want)) => assert!(got.contains(want), "{got}"),
            (got, want) => panic!("{got:?} instead of {want:?}"),
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
    fn flags_win_and_come_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p.json");
        std::fs::write(&file, r#"{"a": 1, "b": 2}"#).unwrap();
        let given = |pairs: &[&str]| Params {
            param: pairs.iter().map(|text| pair(text).unwrap()).collect(),
            params: Some(file.clone()),
        };
        let values = given(&["b=x=y", "c="]).values().unwrap();
        assert_eq!(json!(values), json!({"a": 1, "b": "x=y", "c": ""}));
        let twice = given(&["b=1", "b=2"]).values().unwrap_err();
        assert!(twice.to_string().contains("'b' is given twice"));
        assert!(pair("=1").is_err() && pair("a").is_err());
    }
}
