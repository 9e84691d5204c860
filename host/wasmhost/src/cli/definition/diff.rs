//! `wasmhost definition diff NAME[@A] [@B]`: what differs between two versions.

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Fault};
use crate::client::Client;
use crate::output::definitions::{self, Changed, Difference};
use crate::output::human::count;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::Duration;
use wasmhost_proto::Digest;
use wasmhost_proto::api::{DefinitionView, StoredName, StoredNameError};

/// After this long, lines that could be told apart better are shown as replaced.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// `NAME` for its latest version but one, or `NAME@VERSION`
    #[arg(value_name = "NAME[@A]")]
    from: StoredName,
    /// `@VERSION` of the same, or another `NAME[@VERSION]` [default: the latest version]
    #[arg(value_name = "@B")]
    to: Option<Other>,
}

/// The second of two versions.
#[derive(Clone, Debug)]
struct Other(StoredName);

impl FromStr for Other {
    type Err = StoredNameError;

    /// The name is empty when it is that of the first.
    fn from_str(text: &str) -> Result<Other, Self::Err> {
        let Some(version) = text.strip_prefix('@') else {
            return text.parse().map(Other);
        };
        let StoredName { version, .. } = format!("_@{version}").parse()?;
        let name = String::new();
        Ok(Other(StoredName { name, version }))
    }
}

pub(super) async fn run(args: Args, cx: &Context) -> anyhow::Result<()> {
    let client = cx.client().await?;
    let to = match args.to {
        Some(Other(to)) if !to.name.is_empty() => to,
        Some(Other(to)) => StoredName {
            name: args.from.name.clone(),
            version: to.version,
        },
        None => StoredName {
            name: args.from.name.clone(),
            version: None,
        },
    };
    let from = match args.from.version {
        Some(_) => args.from,
        None => before(&client, args.from, &to).await?,
    };
    let (from, to) = (
        client.definition(&from).await?,
        client.definition(&to).await?,
    );
    let difference = compare(&from, &to);
    let text = |d: &Difference| d.text.clone();
    cx.out.answer(&difference, text, definitions::difference)
}

/// The version before `to`, or the latest of another definition.
async fn before(client: &Client, from: StoredName, to: &StoredName) -> anyhow::Result<StoredName> {
    if from.name != to.name {
        return Ok(from);
    }
    let versions = client.definition_versions(&from.name).await?.items;
    let mut older = versions.iter().map(|view| view.version);
    let older = match to.version {
        Some(to) => older.find(|version| *version < to),
        None => older.nth(1),
    };
    match older {
        Some(_) => Ok(StoredName {
            version: older,
            ..from
        }),
        None => {
            let title = format!("there is no version before {to}");
            let fault = Fault::new(Exit::NOT_FOUND, "not_found", title);
            Err(fault.help("see `wasmhost definition history`").into())
        }
    }
}

fn compare(from: &DefinitionView, to: &DefinitionView) -> Difference {
    let (a, b) = (definitions::name(from), definitions::name(to));
    let text = |view: &DefinitionView| view.definition.clone().unwrap_or_default();
    let (old, new) = (text(from), text(to));
    let text = similar::TextDiff::configure()
        .timeout(PATIENCE)
        .diff_lines(&old, &new)
        .unified_diff()
        .header(&a, &b)
        .to_string();
    Difference {
        from: a,
        to: b,
        text,
        modules: changed(&from.modules, &to.modules, Digest::to_string),
        files: changed(&from.files, &to.files, |blob| blob.digest.to_string()),
        lists: changed(&from.lists, &to.lists, |items| {
            count(items.len() as u64, "item")
        }),
    }
}

/// What differs by name, as it is shown.
fn changed<T: PartialEq>(
    from: &BTreeMap<String, T>,
    to: &BTreeMap<String, T>,
    show: impl Fn(&T) -> String,
) -> Vec<Changed> {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let differ = |name: &&String| from.get(*name) != to.get(*name);
    let changed = names.into_iter().filter(differ).map(|name| Changed {
        name: name.clone(),
        from: from.get(name).map(&show),
        to: to.get(name).map(&show),
    });
    changed.collect()
}
