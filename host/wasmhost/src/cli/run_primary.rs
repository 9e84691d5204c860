//! `wasmhost run-primary`

use super::context::Context;
use super::exit::Exit;
use super::signals;
use crate::api::{self, HttpOptions, Serving, Tls};
use crate::output::style::dim;
use crate::primary::{self, Handle, PrimaryOptions, Running};
use crate::settings::file::PrimaryFile;
use crate::settings::values::Millis;
use crate::settings::{HTTP, LISTEN};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;
use wasmhost_proto::api::{DriverView, StoredName};
use wasmhost_proto::limits::{DEFAULT_CANCEL_GRACE_MS, DEFAULT_LEASE_MS, DEFAULT_POLL_MS};

#[derive(clap::Args, Debug, Default)]
pub(crate) struct Args {
    /// Where workers connect (UDP) [default: 127.0.0.1:7311]
    #[arg(
        long,
        env = "WASMHOST_LISTEN",
        value_name = "ADDR",
        hide_env_values = true
    )]
    pub(crate) listen: Option<SocketAddr>,
    /// Where clients connect (TCP) [default: 127.0.0.1:7310]
    #[arg(
        long,
        env = "WASMHOST_HTTP",
        value_name = "ADDR",
        hide_env_values = true
    )]
    pub(crate) http: Option<SocketAddr>,
    /// The address by which workers and clients know this primary, when it is
    /// not the one that it listens on
    #[arg(
        long,
        env = "WASMHOST_ADVERTISE",
        value_name = "HOST[:PORT]",
        hide_env_values = true
    )]
    pub(crate) advertise: Option<String>,
    /// How long a silent worker keeps its tasks [default: 15s]
    #[arg(
        long,
        env = "WASMHOST_LEASE",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) lease: Option<Millis>,
    /// Ask workers that run something this often what their tasks have published [default: 5s];
    /// 0s: only when somebody wants to know
    #[arg(
        long,
        env = "WASMHOST_POLL",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) poll: Option<Millis>,
    /// Certificate (PEM) for https, instead of one of the cluster
    #[arg(
        long,
        env = "WASMHOST_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key",
        hide_env_values = true
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(
        long,
        env = "WASMHOST_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert",
        hide_env_values = true
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Plain HTTP even for other machines: only behind something that adds TLS
    #[arg(long, env = "WASMHOST_INSECURE_HTTP", hide_env_values = true)]
    pub(crate) insecure_http: bool,
    /// Folder of script engines: each NAME.wasm becomes the module engine-NAME
    /// [default: `engines` beside this program, if there is one]
    #[arg(
        long,
        env = "WASMHOST_ENGINES",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) engines: Option<PathBuf>,
    /// Stored definition, NAME or NAME@VERSION, whose driver runs as long as this primary
    /// and is given what `wasmhost request` asks for
    #[arg(
        long,
        env = "WASMHOST_DRIVER",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) driver: Option<StoredName>,
}

/// What a primary needs to start: flags over the file over defaults.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    primary: PrimaryOptions,
    http: HttpOptions,
}

impl Args {
    /// Merges the flags over the settings file.
    pub(crate) fn plan(self, file: &PrimaryFile, data_dir: PathBuf) -> Plan {
        let listen = self.listen.or(file.listen).unwrap_or(LISTEN);
        let http = self.http.or(file.http).unwrap_or(HTTP);
        let advertise = self.advertise.or_else(|| file.advertise.clone());
        let lease_ms = self
            .lease
            .or(file.lease)
            .map_or(DEFAULT_LEASE_MS, |lease| lease.0);
        let poll = self.poll.or(file.poll);
        let poll_ms = poll.map_or(DEFAULT_POLL_MS, |poll| poll.0);
        let allow_plain = self.insecure_http || file.insecure_http.unwrap_or(false);
        let files = (
            self.tls_cert.or_else(|| file.tls_cert.clone()),
            self.tls_key.or_else(|| file.tls_key.clone()),
        );
        let tls = match files {
            (Some(certificate), Some(key)) => Some(Tls::Files { certificate, key }),
            _ if http.ip().is_loopback() || allow_plain => None,
            _ => Some(Tls::Cluster {
                names: advertise.iter().map(|a| host(a).to_owned()).collect(),
            }),
        };
        let engines = self.engines.or_else(|| file.engines.clone());
        let advertise = advertise.map(|name| match port(&name) {
            Some(_) => name,
            None => format!("{name}:{}", listen.port()),
        });
        Plan {
            primary: PrimaryOptions {
                secrets_key: file.secrets_key.clone(),
                data_dir,
                listen,
                advertise,
                lease_ms,
                cancel_grace_ms: DEFAULT_CANCEL_GRACE_MS,
                poll_ms,
            },
            http: HttpOptions {
                listen: http,
                tls,
                allow_plain,
                engines: engines.or_else(beside),
                driver: self.driver.or_else(|| file.driver.clone()),
                ceiling: file.allow.clone(),
            },
        }
    }
}

/// The folder `engines` beside this program.
fn beside() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    Some(program.parent()?.join("engines")).filter(|dir| dir.is_dir())
}

/// The port of `HOST:PORT`; a bare IPv6 address has none.
fn port(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    if host.contains(':') && !host.ends_with(']') {
        return None;
    }
    port.parse().ok()
}

fn host(address: &str) -> &str {
    let host = match port(address) {
        Some(_) => address.rsplit_once(':').map_or(address, |(host, _)| host),
        None => address,
    };
    host.trim_matches(['[', ']'])
}

/// A primary with its API, in this process.
pub(crate) struct Server {
    /// For asking it without a network.
    pub(crate) handle: Handle,
    running: Running,
    serving: Serving,
}

impl Server {
    /// Starts both; the API ends when `stop` is cancelled.
    pub(crate) async fn start(plan: Plan, stop: &CancellationToken) -> anyhow::Result<Server> {
        let (handle, running) = primary::start(plan.primary).await?;
        match api::serve(handle.clone(), plan.http, stop.clone().cancelled_owned()).await {
            Ok(serving) => Ok(Server {
                handle,
                running,
                serving,
            }),
            Err(error) => {
                running.shutdown().await?;
                Err(error)
            }
        }
    }

    /// Where clients connect.
    pub(crate) fn url(&self) -> String {
        self.serving.url()
    }

    /// What scripts can be written in, for people; empty when nothing.
    pub(crate) fn engines(&self) -> String {
        match self.serving.engines() {
            [] => String::new(),
            names => format!("  engines  {}\n", names.join(", ")),
        }
    }

    /// The primary's driver, for people; empty when there is none.
    fn driver(&self) -> String {
        match self.serving.driver() {
            DriverView { name: None, .. } => String::new(),
            DriverView {
                name: Some(name),
                error: Some(error),
                ..
            } => format!("  driver   {name} cannot be loaded: {error}\n"),
            DriverView {
                name: Some(name), ..
            } => format!("  driver   {name}\n"),
        }
    }

    /// Waits until it cannot go on: always an error.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        self.running.failed().await
    }

    /// Ends in order, once `stop` is cancelled.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        self.serving.wait().await;
        self.running.shutdown().await
    }
}

pub(crate) async fn run(args: Args, cx: &Context) -> anyhow::Result<Exit> {
    let stop = signals::shutdown()?;
    let data_dir = cx.settings.primary_dir();
    let plan = args.plan(&cx.settings.file.primary, data_dir.clone());
    let mut server = Server::start(plan, &stop).await?;
    announce(cx, &server, &data_dir)?;
    tokio::select! {
        () = stop.cancelled() => {}
        error = server.failed() => return Err(error),
    }
    server.end().await?;
    tracing::info!("the primary has ended");
    Ok(Exit::OK)
}

fn announce(cx: &Context, server: &Server, data_dir: &Path) -> anyhow::Result<()> {
    let (cluster, workers, api) = (
        server.handle.cluster(),
        server.handle.worker_address(),
        server.url(),
    );
    if cx.out.is_json() {
        let driver = server.serving.driver();
        let mut ready = json!({ "cluster": cluster, "worker_address": workers, "api": api });
        if driver.name.is_some() {
            ready["driver"] = json!(driver);
        }
        return cx.out.answer(&ready, |_| String::new(), |_| String::new());
    }
    cx.out.talk(format!(
        "primary of cluster {cluster}\n  clients  {api}  (token in {})\n  workers  {workers} (UDP)\n{}{}{}",
        data_dir.join("client.token").display(),
        server.engines(),
        server.driver(),
        dim("next: wasmhost token create --worker"),
    ));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn plan(args: Args, file: &str) -> Plan {
        args.plan(&toml::from_str(file).unwrap(), "/data".into())
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let got = plan(Args::default(), "");
        assert_eq!((got.primary.listen, got.http.listen), (LISTEN, HTTP));
        assert_eq!(got.primary.lease_ms, DEFAULT_LEASE_MS);
        assert!(got.http.tls.is_none());
        let file = "listen = '127.0.0.1:1'\nlease = '2s'\nadvertise = 'file.example'";
        let got = plan(Args::default(), file);
        assert_eq!(
            (got.primary.listen.port(), got.primary.lease_ms),
            (1, 2_000)
        );
        assert_eq!(got.primary.advertise.as_deref(), Some("file.example:1"));
        let args = Args {
            lease: Some(Millis(7)),
            advertise: Some("a:9".into()),
            ..Args::default()
        };
        let got = plan(args, file);
        assert_eq!((got.primary.listen.port(), got.primary.lease_ms), (1, 7));
        assert_eq!(got.primary.advertise.as_deref(), Some("a:9"));
    }

    #[test]
    fn tls_off_loopback() {
        let open = || Args {
            http: Some("0.0.0.0:7310".parse().unwrap()),
            ..Args::default()
        };
        let got = plan(
            Args {
                advertise: Some("p.example:7311".into()),
                ..open()
            },
            "",
        );
        assert!(matches!(got.http.tls, Some(Tls::Cluster { names }) if names == ["p.example"]));
        let got = plan(open(), "insecure-http = true");
        assert!(got.http.tls.is_none() && got.http.allow_plain);
        let files = Args {
            tls_cert: Some("c".into()),
            tls_key: Some("k".into()),
            ..open()
        };
        assert!(matches!(plan(files, "").http.tls, Some(Tls::Files { .. })));
    }

    #[test]
    fn hosts_and_ports() {
        for (text, want) in [
            ("p.example", ("p.example", None)),
            ("p.example:1", ("p.example", Some(1))),
            ("[::1]:1", ("::1", Some(1))),
            ("::1", ("::1", None)),
            ("10.0.0.1:7311", ("10.0.0.1", Some(7311))),
        ] {
            assert_eq!((host(text), port(text)), want, "{text}");
        }
    }
}
