//! `wasmhost dev`: a primary and a worker in one process, over real QUIC on
//! loopback, with a data directory of its own.

use super::context::Context;
use super::exit::Exit;
use super::follow::{self, Follow};
use super::run_primary::{self, Server};
use super::run_worker::Shape;
use super::submit::prepare::Definition;
use super::{report, signals, submit};
use crate::client::Client;
use crate::output::human;
use crate::output::style::{bold, dim};
use crate::settings::Settings;
use crate::settings::file::PrimaryFile;
use crate::worker::{self, WorkerOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wasmhost_link::{Identity, JoinToken};
use wasmhost_proto::api::{TokenKind, TokenRequest};

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Definitions to run, one after another; it ends after the last
    files: Vec<PathBuf>,
    /// Go on after the last definition
    #[arg(long, requires = "files")]
    keep: bool,
    /// Where clients connect (TCP, on this machine) [default: 127.0.0.1:7310]
    #[arg(long, env = "WASMHOST_HTTP", value_name = "ADDR", value_parser = loopback, hide_env_values = true)]
    http: Option<SocketAddr>,
    /// Where workers connect (UDP, on this machine) [default: 127.0.0.1:7311]
    #[arg(long, env = "WASMHOST_LISTEN", value_name = "ADDR", value_parser = loopback, hide_env_values = true)]
    listen: Option<SocketAddr>,
    /// Folder of script engines: each NAME.wasm becomes the module engine-NAME
    /// [default: `engines` beside this program, or the workspace's `target/tasks/engines`]
    #[arg(
        long,
        env = "WASMHOST_ENGINES",
        value_name = "DIR",
        hide_env_values = true
    )]
    engines: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
}

/// What `cargo xtask build-tasks` has left in the workspace that this was started in.
fn built_engines() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let mut above = here.ancestors().map(|dir| dir.join("target/tasks/engines"));
    above.find(|dir| dir.is_dir())
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("'{text}' is not of the form 127.0.0.1:PORT"))?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err("`dev` is for this machine alone: see `run-primary`".into()),
    }
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let stop = signals::shutdown()?;
    // The API goes last, so that the worker can still report.
    let closed = CancellationToken::new();
    let dir = cx.settings.dev_dir();
    let flags = run_primary::Args {
        http: args.http,
        listen: args.listen,
        engines: args.engines.clone().or_else(built_engines),
        ..Default::default()
    };
    let file = PrimaryFile {
        allow: cx.settings.file.primary.allow.clone(),
        ..PrimaryFile::default()
    };
    let plan = flags.plan(&file, dir.join("primary"));
    let mut server = Server::start(plan, &closed).await?;
    let client = client(&server, &dir).await?;
    let mut worker = start_worker(&args.shape, cx, &client, &server, stop.clone()).await?;
    announce(cx, &server, &args);

    let result = tokio::select! {
        exit = serve(&args, cx, &client, &stop) => exit,
        error = server.failed() => return Err(error),
        ended = &mut worker => return Err(ended?.err().unwrap_or_else(|| anyhow::anyhow!("the worker has ended"))),
    };
    stop.cancel();
    worker.await??;
    closed.cancel();
    server.end().await?;
    result
}

/// Runs the definitions, then waits for Ctrl-C if there is a reason to.
async fn serve(
    args: &Args,
    cx: &Context,
    client: &Client,
    stop: &CancellationToken,
) -> anyhow::Result<Exit> {
    let mut worst = Exit::OK;
    for file in &args.files {
        let job = submit::submit(cx, client, Definition::read(file)?, None).await?;
        cx.out.talk(format!("{} {}", bold(job.id), job.name));
        let options = Follow {
            known: true,
            ..Follow::default()
        };
        let followed = follow::job(cx, client, &job.id.to_string(), options).await?;
        let exit = report::followed(cx, client, followed, None).await?;
        if exit == Exit::INTERRUPTED {
            return Ok(exit);
        }
        worst = if worst == Exit::OK { exit } else { worst };
    }
    if args.files.is_empty() || args.keep {
        stop.cancelled().await;
    }
    Ok(worst)
}

/// A client of this very primary, whatever the environment says.
async fn client(server: &Server, dir: &Path) -> anyhow::Result<Client> {
    let token_file = Some(dir.join("primary/client.token"));
    Ok(Client::open(&Settings {
        addr: server.url(),
        token_file,
        ..Settings::default()
    })
    .await?)
}

/// The worker of this process; it joins the first time.
async fn start_worker(
    shape: &Shape,
    cx: &Context,
    client: &Client,
    server: &Server,
    stop: CancellationToken,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let dir = cx.settings.dev_dir().join("worker");
    let cluster = server.handle.authority().fingerprint();
    let known = Identity::load(&dir)?
        .is_some_and(|own| own.cluster() == cluster && own.expires() > human::now());
    let mut options = WorkerOptions::new(server.handle.worker_address(), dir)?;
    shape.apply(&cx.settings.file.worker, &mut options);
    options.name = "dev".into();
    if !known {
        let request = TokenRequest {
            kind: TokenKind::Join,
            name: "dev".into(),
            ttl_ms: None,
        };
        options.join = Some(
            client
                .create_token(&request)
                .await?
                .secret
                .parse::<JoinToken>()?,
        );
    }
    Ok(tokio::spawn(worker::run(options, stop.cancelled_owned())))
}

fn announce(cx: &Context, server: &Server, args: &Args) {
    if !args.files.is_empty() && !args.keep {
        return;
    }
    let elsewhere = match server.url() == format!("http://{}", crate::settings::HTTP) {
        true => String::new(),
        false => format!("  export WASMHOST_ADDR={}\n", server.url()),
    };
    cx.out.talk(format!(
        "{} at {}, with one worker in this process. Ctrl-C ends both; nothing recorded is lost.\n{}\
         In another terminal:\n{elsewhere}  \
         wasmhost submit FILE.toml --wait              run a job definition\n  \
         wasmhost submit --module M.wasm --wait        run a module\n  \
         wasmhost jobs                                 what ran and runs\n{}",
        bold("wasmhost dev"),
        server.url(),
        server.engines(),
        dim("more: wasmhost --help")
    ));
}
