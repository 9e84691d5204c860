//! TLS 1.3 with ring: who is believed. A worker believes a primary whose
//! certificate ends in its cluster's authority; before it has joined, in the
//! authority that its token names. A primary asks every peer for a
//! certificate, and lets those without one do nothing but join.

use crate::authority::{SERVER_NAME, ServerIdentity};
use crate::certificate::fingerprint;
use crate::identity::Identity;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::{Arc, OnceLock};
use wasmhost_proto::Digest;
use wasmhost_proto::wire::{ALPN, ALPN_JOIN};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(authority: &CertificateDer<'_>) -> Result<Arc<RootCertStore>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone().into_owned())?;
    Ok(Arc::new(roots))
}

/// The primary's side, for both application protocols.
pub(crate) fn server(
    authority: &CertificateDer<'_>,
    identity: ServerIdentity,
) -> Result<QuicServerConfig, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let clients = WebPkiClientVerifier::builder_with_provider(
        roots(authority).map_err(|e| text(&e))?,
        provider(),
    )
    // Joining has none. The listener asks again once it knows the application protocol.
    .allow_unauthenticated()
    .build()
    .map_err(|e| text(&e))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| text(&e))?
        .with_client_cert_verifier(clients)
        .with_single_cert(identity.chain, identity.key)
        .map_err(|e| text(&e))?;
    config.alpn_protocols = vec![ALPN.to_vec(), ALPN_JOIN.to_vec()];
    // No resumption: each connection proves its certificate anew.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    QuicServerConfig::try_from(config).map_err(|e| text(&e))
}

/// A worker's side once it has joined.
pub(crate) fn client(identity: &Identity) -> Result<QuicClientConfig, rustls::Error> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots(identity.authority())?)
        .with_client_auth_cert(
            vec![identity.certificate().clone()],
            identity.key().clone_key(),
        )?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    finish(config)
}

/// A worker's side while it joins. `shown` receives what the primary showed
/// when that was not the wanted authority.
pub(crate) fn joining(
    want: Digest,
    shown: Arc<OnceLock<String>>,
) -> Result<QuicClientConfig, rustls::Error> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned {
            want,
            shown,
            provider: provider(),
        }))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_JOIN.to_vec()];
    finish(config)
}

fn finish(mut config: rustls::ClientConfig) -> Result<QuicClientConfig, rustls::Error> {
    config.resumption = rustls::client::Resumption::disabled();
    QuicClientConfig::try_from(config).map_err(|e| rustls::Error::General(e.to_string()))
}

/// Believes a chain that holds the authority with the wanted fingerprint and
/// verifies against it, and nothing else.
#[derive(Debug)]
struct Pinned {
    want: Digest,
    shown: Arc<OnceLock<String>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(authority) = intermediates.iter().find(|c| fingerprint(c) == self.want) else {
            let shown = intermediates.last().map(|c| fingerprint(c).to_string());
            let _ = self.shown.set(shown.unwrap_or_else(|| "none".into()));
            return Err(CertificateError::UnknownIssuer.into());
        };
        let name =
            ServerName::try_from(SERVER_NAME).map_err(|_| CertificateError::NotValidForName)?;
        WebPkiServerVerifier::builder_with_provider(roots(authority)?, self.provider.clone())
            .build()
            .map_err(|e| rustls::Error::General(e.to_string()))?
            .verify_server_cert(end_entity, &[], &name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken here".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A peer that speaks the workers' protocol and has no certificate.
#[cfg(test)]
pub(crate) fn anonymous(authority: &CertificateDer<'_>) -> Result<QuicClientConfig, rustls::Error> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots(authority)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    finish(config)
}
