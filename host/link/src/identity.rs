//! A worker's identity: its key, its certificate and its cluster's authority,
//! in one file that only the owner may read. The key is made here and never
//! leaves the machine.

use crate::authority::pem;
use crate::certificate::{Facts, fingerprint};
use crate::error::IdentityError;
use crate::files;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use wasmhost_proto::{Digest, Timestamp, WorkerId};

/// Who a worker is.
pub struct Identity {
    path: PathBuf,
    worker: WorkerId,
    key: PrivateKeyDer<'static>,
    certificate: CertificateDer<'static>,
    authority: CertificateDer<'static>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        Identity {
            path: self.path.clone(),
            key: self.key.clone_key(),
            certificate: self.certificate.clone(),
            authority: self.authority.clone(),
            ..*self
        }
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({}, until {})", self.worker, self.not_after)
    }
}

impl Identity {
    /// Reads the identity kept in `dir`; none when this worker never joined.
    pub fn load(dir: &Path) -> Result<Option<Identity>, IdentityError> {
        let path = path_in(dir);
        let pem = files::read(&path).map_err(|source| IdentityError::File {
            path: path.clone(),
            source,
        })?;
        let Some(pem) = pem else { return Ok(None) };
        Identity::parse(&pem, path.clone())
            .map(Some)
            .map_err(|why| IdentityError::Damaged { path, why })
    }

    fn parse(pem: &[u8], path: PathBuf) -> Result<Identity, String> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|e| e.to_string())?;
        let key = KeyPair::try_from(&key).map_err(|e| e.to_string())?;
        let mut chain = CertificateDer::pem_slice_iter(pem);
        let mut next = || match chain.next() {
            Some(certificate) => certificate.map_err(|e| e.to_string()),
            None => Err("a certificate is missing".to_owned()),
        };
        let (certificate, authority) = (next()?, next()?);
        Identity::new(path, key, certificate, authority)
    }

    /// Puts an identity together if its parts belong to each other. Writes nothing.
    pub(crate) fn new(
        path: PathBuf,
        key: KeyPair,
        certificate: CertificateDer<'static>,
        authority: CertificateDer<'static>,
    ) -> Result<Identity, String> {
        let facts = Facts::read(&certificate)?;
        if facts.public_key != key.subject_public_key_info() {
            return Err("the certificate is for another key".into());
        }
        Ok(Identity {
            path,
            worker: facts.worker()?,
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            certificate,
            authority,
            not_before: facts.not_before,
            not_after: facts.not_after,
        })
    }

    /// Keeps the identity: whole, durable, for the owner alone.
    pub(crate) fn save(&self) -> Result<(), IdentityError> {
        let at = |source| IdentityError::File {
            path: self.path.clone(),
            source,
        };
        let text = pem("PRIVATE KEY", self.key.secret_der())
            + &pem("CERTIFICATE", &self.certificate)
            + &pem("CERTIFICATE", &self.authority);
        if let Some(dir) = self.path.parent() {
            files::private_dir(dir).map_err(at)?;
        }
        files::write(&self.path, text.as_bytes(), 0o600).map_err(at)
    }

    /// The same worker with a later certificate, kept in place of the old one.
    pub(crate) fn renewed(&self, certificate: Vec<u8>) -> Result<Identity, IdentityError> {
        let key = KeyPair::try_from(&self.key).map_err(|e| IdentityError::Key(e.to_string()))?;
        let renewed = Identity::new(
            self.path.clone(),
            key,
            certificate.into(),
            self.authority.clone(),
        )
        .map_err(IdentityError::NotOurs)?;
        renewed.save()?;
        Ok(renewed)
    }

    /// Who this is.
    pub fn worker(&self) -> WorkerId {
        self.worker
    }

    /// The fingerprint of the cluster's authority.
    pub fn cluster(&self) -> Digest {
        fingerprint(&self.authority)
    }

    /// When the certificate ends.
    pub fn expires(&self) -> Timestamp {
        self.not_after
    }

    /// When to renew: after two thirds of the certificate's life.
    pub fn renew_at(&self) -> Timestamp {
        Timestamp(self.not_before.0 + self.not_after.since(self.not_before) / 3 * 2)
    }

    pub(crate) fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub(crate) fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }
}

/// Where an identity lies within a data directory.
pub(crate) fn path_in(dir: &Path) -> PathBuf {
    dir.join("identity").join("identity.pem")
}

/// A new key, and the request for its certificate in DER.
pub(crate) fn new_key() -> Result<(KeyPair, Vec<u8>), IdentityError> {
    let text = |e: rcgen::Error| IdentityError::Key(e.to_string());
    let key = KeyPair::generate().map_err(text)?;
    let request = CertificateParams::default()
        .serialize_request(&key)
        .map_err(text)?;
    Ok((key, request.der().to_vec()))
}
