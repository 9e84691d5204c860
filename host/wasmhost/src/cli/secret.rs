//! `wasmhost secret set | list | remove`

use super::context::Context;
use super::exit::{Exit, Fault};
use crate::output::{human, lists};
use serde_json::json;
use std::io::{IsTerminal as _, Read as _};
use wasmhost_proto::api::SecretRequest;
use wasmhost_proto::limits::MAX_SECRET;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Verb {
    /// Keep a secret, which is read from standard input
    Set(Set),
    /// List secrets, without their values
    List,
    /// Forget a secret
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct Set {
    /// Its name
    name: String,
    /// Requests that it may go with, in a header: "GET https://api.example.com"
    #[arg(long, value_name = "REQUESTS")]
    to: Vec<String>,
    /// Let tasks that ask for it have the value itself
    #[arg(long)]
    reveal: bool,
}

pub(crate) async fn run(verb: Verb, cx: &Context) -> anyhow::Result<Exit> {
    match verb {
        Verb::Set(args) => {
            let request = SecretRequest {
                value: value()?,
                to: args.to,
                reveal: args.reveal,
            };
            cx.client().await?.set_secret(&args.name, &request).await?;
            let name = args.name;
            let done = json!({ "set": name });
            cx.out
                .answer(&done, |_| name.clone(), |_| format!("set {name}"))?;
        }
        Verb::List => {
            let page = cx.client().await?.secrets().await?;
            let names = |page: &wasmhost_proto::api::Page<_>| {
                let items = page.items.iter();
                items
                    .map(|s: &wasmhost_proto::api::SecretView| format!("{}\n", s.name))
                    .collect()
            };
            cx.out
                .answer(&page, names, |page| lists::secrets(page, human::now()))?;
        }
        Verb::Remove { name } => {
            cx.client().await?.remove_secret(&name).await?;
            let done = json!({ "removed": name });
            cx.out
                .answer(&done, |_| name.clone(), |_| format!("removed {name}"))?;
        }
    }
    Ok(Exit::OK)
}

/// What standard input has, without the end of its line. No flag: it would show it to others.
fn value() -> anyhow::Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        eprintln!("Type the secret, then Ctrl-D:");
    }
    let mut text = String::new();
    // More than fits is refused by its length.
    let mut input = input.take(MAX_SECRET as u64 + 3);
    if let Err(error) = input.read_to_string(&mut text) {
        let title = format!("standard input holds no secret: {error}");
        return Err(Fault::new(Exit::USAGE, "bad_secret", title).into());
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
