//! Plain HTTP or TLS, and with which certificate. Refuses to send tokens in
//! the clear over a network unless it is told to.

use anyhow::{Context, bail};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use wasmhost_link::Authority;

/// Which certificate the server shows.
#[derive(Clone, Debug)]
pub(crate) enum Tls {
    /// One signed by the cluster's authority, for this machine's names and these.
    Cluster {
        /// Host names or addresses under which clients reach it.
        names: Vec<String>,
    },
    /// Files in PEM.
    Files {
        /// The certificate and those above it.
        certificate: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

/// What to do with connections to `listen`: none for plain HTTP.
pub(super) fn acceptor(
    listen: SocketAddr,
    tls: Option<&Tls>,
    allow_plain: bool,
    authority: &Authority,
) -> anyhow::Result<Option<TlsAcceptor>> {
    let (chain, key) = match tls {
        None if allow_plain || listen.ip().is_loopback() => return Ok(None),
        None => bail!(
            "refusing plain HTTP on {listen}: tokens and results would cross the network in the clear. \
             Use TLS (a certificate of the cluster, or your own files), listen on 127.0.0.1, \
             or allow plain HTTP explicitly if a proxy in front of it speaks TLS"
        ),
        Some(Tls::Cluster { names }) => {
            let identity = authority.server_identity(&own_names(listen, names))?;
            (identity.chain, identity.key)
        }
        Some(Tls::Files { certificate, key }) => {
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .with_context(|| {
                    format!("the certificate {} cannot be read", certificate.display())
                })?;
            let secret = PrivateKeyDer::from_pem_file(key)
                .with_context(|| format!("the key {} cannot be read", key.display()))?;
            (chain, secret)
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and key of the HTTP server do not fit")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Names under which clients are likely to reach this server.
fn own_names(listen: SocketAddr, given: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(String::from).into();
    if !listen.ip().is_unspecified() {
        names.push(listen.ip().to_string());
    }
    if let Ok(host) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        names.push(host.trim().to_owned());
    }
    names.extend(given.iter().cloned());
    names.retain(|n| !n.is_empty());
    names.sort();
    names.dedup();
    names
}
