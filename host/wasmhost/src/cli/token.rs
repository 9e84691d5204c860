//! `wasmhost token create | list | revoke`

use super::context::Context;
use super::exit::Exit;
use crate::output::human::{self, duration};
use crate::output::lists;
use crate::settings::values::Millis;
use serde_json::json;
use wasmhost_proto::api::{NewToken, TokenKind, TokenRequest};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Verb {
    /// Make a token; its secret is shown this once
    Create(Create),
    /// List tokens, without their secrets
    List,
    /// Make a token worthless
    Revoke {
        /// A token's id, or a unique prefix of it
        token: String,
    },
}

#[derive(clap::Args, Debug)]
pub(crate) struct Create {
    /// For one worker, to join once (the default)
    #[arg(long)]
    worker: bool,
    /// For clients of the API
    #[arg(long, conflicts_with = "worker")]
    client: bool,
    /// A note for people
    #[arg(long, default_value = "")]
    name: String,
    /// How long it holds [default: an hour for a worker, for ever for clients]
    #[arg(long, value_name = "TIME")]
    ttl: Option<Millis>,
}

pub(crate) async fn run(verb: Verb, cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    match verb {
        Verb::Create(args) => {
            let kind = if args.client {
                TokenKind::Client
            } else {
                TokenKind::Join
            };
            let ttl_ms = args.ttl.map(|ttl| ttl.0);
            let new = client
                .create_token(&TokenRequest {
                    kind,
                    name: args.name,
                    ttl_ms,
                })
                .await?;
            // The secret is the data; what to do with it is talk.
            cx.out
                .answer(&new, |new| new.secret.clone(), |new| new.secret.clone())?;
            cx.out.talk(advice(
                &new,
                &client.info().await?.worker_address,
                client.addr(),
            ));
        }
        Verb::List => {
            let page = client.tokens().await?;
            let ids = |page: &wasmhost_proto::api::Page<_>| {
                page.items
                    .iter()
                    .map(|t: &wasmhost_proto::api::TokenView| format!("{}\n", t.id))
                    .collect()
            };
            cx.out
                .answer(&page, ids, |page| lists::tokens(page, human::now()))?;
        }
        Verb::Revoke { token } => {
            client.revoke_token(&token).await?;
            let done = json!({ "revoked": token });
            cx.out
                .answer(&done, |_| token.clone(), |_| format!("revoked {token}"))?;
        }
    }
    Ok(Exit::OK)
}

fn advice(new: &NewToken, workers: &str, addr: &str) -> String {
    let holds = match new.token.expires {
        Some(end) => format!("It holds for {}", duration(end.since(new.token.created))),
        None => "It holds until revoked".into(),
    };
    match new.token.kind {
        TokenKind::Join => format!(
            "{holds}, for one worker. On its machine:\n  wasmhost run-worker --primary {workers} --join TOKEN"
        ),
        TokenKind::Client => {
            format!("{holds}. Give it to clients:\n  export WASMHOST_ADDR={addr} WASMHOST_TOKEN=…")
        }
    }
}
