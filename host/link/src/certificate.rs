//! What a certificate of this cluster says: whose key it is, and until when.

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};
use wasmhost_proto::{Digest, Timestamp, WorkerId};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What we read out of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The subject's public key in DER.
    pub(crate) public_key: Vec<u8>,
    /// The subject's common name.
    pub(crate) common_name: String,
    /// When it begins.
    pub(crate) not_before: Timestamp,
    /// When it ends.
    pub(crate) not_after: Timestamp,
}

impl Facts {
    /// Reads a certificate; the text says what is wrong with it.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Result<Facts, String> {
        let (rest, certificate) =
            X509Certificate::from_der(der).map_err(|e| format!("not a certificate: {e}"))?;
        if !rest.is_empty() {
            return Err("bytes follow the certificate".into());
        }
        let name = certificate.subject().iter_common_name().next();
        let instant =
            |seconds: i64| Timestamp(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
        Ok(Facts {
            public_key: certificate.public_key().raw.to_vec(),
            common_name: name
                .and_then(|n| n.as_str().ok())
                .unwrap_or_default()
                .to_owned(),
            not_before: instant(certificate.validity().not_before.timestamp()),
            not_after: instant(certificate.validity().not_after.timestamp()),
        })
    }

    /// The worker whose certificate this is: its name must be that of its key.
    pub(crate) fn worker(&self) -> Result<WorkerId, String> {
        let worker = worker_id(&self.public_key);
        if self.common_name != worker.to_string() {
            return Err(format!(
                "the certificate of '{}' holds the key of worker {worker}",
                self.common_name
            ));
        }
        Ok(worker)
    }
}

/// The first 50 bits of the SHA-256 of a public key (its SubjectPublicKeyInfo in DER).
pub(crate) fn worker_id(public_key: &[u8]) -> WorkerId {
    let hash = Sha256::digest(public_key);
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    WorkerId(u64::from_be_bytes(first) >> 14)
}

/// The SHA-256 of a certificate in DER.
pub(crate) fn fingerprint(der: &[u8]) -> Digest {
    Digest(Sha256::digest(der).into())
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(since.as_millis() as u64)
}
