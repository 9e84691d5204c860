//! `wasmhost data list | get | set | add | delete | watch`

use super::context::Context;
use super::exit::{Exit, Fault};
use crate::output::data;
use crate::output::human;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::io::Write as _;
use wasmhost_proto::api::{EntryView, WrittenView};
use wasmhost_proto::data::DataValue;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Verb {
    /// List public spaces, or the entries of one
    List {
        /// A space; all spaces when none is given
        space: Option<String>,
        /// Only entries whose keys begin so
        #[arg(long, default_value = "", requires = "space")]
        prefix: String,
    },
    /// Write a value to standard output, as it is
    Get {
        /// The space
        space: String,
        /// The key
        key: String,
    },
    /// Set a value
    Set(Set),
    /// Add to a whole number; one that is not there is 0
    Add {
        /// The space
        space: String,
        /// The key
        key: String,
        /// How much
        #[arg(default_value_t = 1, allow_negative_numbers = true)]
        by: i64,
    },
    /// Remove a key
    Delete {
        /// The space
        space: String,
        /// The key
        key: String,
        /// Only if it has this revision
        #[arg(long, value_name = "N")]
        if_revision: Option<u64>,
    },
    /// Write each value of a key as it changes, until interrupted
    Watch {
        /// The space
        space: String,
        /// The key
        key: String,
        /// End after so many values
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct Set {
    /// The space
    space: String,
    /// The key
    key: String,
    /// The value; its type is what it looks like, unless --type says it
    #[arg(allow_negative_numbers = true)]
    value: String,
    /// Its type; bytes are given in base64
    #[arg(long = "type", value_name = "TYPE")]
    of: Option<Type>,
    /// Only if it has this revision; 0: only if there is none
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
}

#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Type {
    Text,
    Int,
    Float,
    Flag,
    Json,
    Bytes,
}

pub(crate) async fn run(verb: Verb, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    match verb {
        Verb::List { space: None, .. } => {
            let page = client.spaces().await?;
            cx.out.answer(
                &page,
                |page| page.items.iter().map(|s| format!("{}\n", s.name)).collect(),
                data::spaces,
            )?;
        }
        Verb::List {
            space: Some(space),
            prefix,
        } => {
            let page = client.entries(&space, &prefix).await?;
            cx.out.answer(
                &page,
                |page| page.items.iter().map(|e| format!("{}\n", e.key)).collect(),
                |page| data::entries(page, human::now()),
            )?;
        }
        Verb::Get { space, key } => {
            let entry = client.entry(&space, &key).await?;
            match (&entry.value, cx.out.is_json()) {
                (DataValue::Bytes(bytes), false) => std::io::stdout().lock().write_all(bytes)?,
                _ => cx.out.answer(&entry, text, text)?,
            }
        }
        Verb::Set(args) => {
            let value = value(&args.value, args.of)?;
            let done = client
                .put_entry(&args.space, &args.key, &value, args.if_revision)
                .await?;
            let said = |done: &WrittenView| format!("{} has revision {}", args.key, done.revision);
            cx.out
                .answer(&done, |done| done.revision.to_string(), said)?;
        }
        Verb::Add { space, key, by } => {
            let done = client.add_to_entry(&space, &key, by).await?;
            let sum = |done: &WrittenView| done.sum.unwrap_or_default().to_string();
            cx.out.answer(&done, sum, sum)?;
        }
        Verb::Delete {
            space,
            key,
            if_revision,
        } => {
            client.delete_entry(&space, &key, if_revision).await?;
            let done = json!({ "deleted": key });
            cx.out
                .answer(&done, |_| key.clone(), |_| format!("deleted {key}"))?;
        }
        Verb::Watch { space, key, count } => {
            let (mut known, mut seen) = (None, 0);
            while count.is_none_or(|count| seen < count) {
                let entry = match known {
                    // What is there at first is shown at once.
                    None => client.entry_after(&space, &key, u64::MAX).await?,
                    Some(known) => client.entry_after(&space, &key, known).await?,
                };
                let revision = entry.as_ref().map_or(0, |entry| entry.revision);
                if known.replace(revision) == Some(revision) {
                    continue;
                }
                seen += 1;
                cx.out.text(&match (&entry, cx.out.is_json()) {
                    (entry, true) => format!("{}\n", serde_json::to_string(entry)?),
                    (Some(entry), false) => format!("{}\n", text(entry)),
                    (None, false) => "(nothing)\n".into(),
                })?;
            }
        }
    }
    Ok(Exit::OK)
}

/// A value as people and scripts read it.
fn text(entry: &EntryView) -> String {
    match &entry.value {
        DataValue::Text(text) | DataValue::Json(text) => text.clone(),
        DataValue::Int(number) => number.to_string(),
        DataValue::Float(number) => number.to_string(),
        DataValue::Flag(flag) => flag.to_string(),
        DataValue::Bytes(bytes) => STANDARD.encode(bytes),
    }
}

/// What a word on the command line means.
fn value(word: &str, of: Option<Type>) -> Result<DataValue, Fault> {
    let not = |what: &str| {
        let title = format!("'{word}' is no {what}");
        Fault::new(Exit::USAGE, "bad_value", title)
    };
    let of = of.unwrap_or_else(|| looks_like(word));
    Ok(match of {
        Type::Text => DataValue::Text(word.into()),
        Type::Int => DataValue::Int(word.parse().map_err(|_| not("whole number of 64 bits"))?),
        Type::Float => DataValue::Float(word.parse().map_err(|_| not("number"))?),
        Type::Flag => DataValue::Flag(word.parse().map_err(|_| not("flag: use true or false"))?),
        Type::Json => DataValue::Json(word.into()),
        Type::Bytes => DataValue::Bytes(STANDARD.decode(word).map_err(|_| not("base64"))?),
    })
}

fn looks_like(word: &str) -> Type {
    let number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    let json = word.starts_with(['{', '[']);
    match () {
        () if word.parse::<i64>().is_ok() => Type::Int,
        () if number && word.parse::<f64>().is_ok() => Type::Float,
        () if word.parse::<bool>().is_ok() => Type::Flag,
        () if json && serde_json::from_str::<serde_json::Value>(word).is_ok() => Type::Json,
        () => Type::Text,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_mean_what_they_look_like() {
        let check = |word: &str, of: Option<Type>, want: Option<DataValue>| {
            assert_eq!(value(word, of).ok(), want, "{word} {of:?}");
        };
        check("17", None, Some(DataValue::Int(17)));
        check("-17", None, Some(DataValue::Int(-17)));
        check("1.5e3", None, Some(DataValue::Float(1500.0)));
        check("true", None, Some(DataValue::Flag(true)));
        check("[1]", None, Some(DataValue::Json("[1]".into())));
        check("[1", None, Some(DataValue::Text("[1".into())));
        check("nan", None, Some(DataValue::Text("nan".into())));
        check("17", Some(Type::Text), Some(DataValue::Text("17".into())));
        check(
            "AQI=",
            Some(Type::Bytes),
            Some(DataValue::Bytes(vec![1, 2])),
        );
        check("A", Some(Type::Bytes), None);
        check("1.5", Some(Type::Int), None);
        check("yes", Some(Type::Flag), None);
    }
}
