//! The cluster's certificate authority: made by the first start of a primary
//! and kept in one file. Signs workers' keys and the primary's own; the key
//! never leaves this process.

use crate::certificate::{self, fingerprint};
use crate::error::AuthorityError;
use crate::files;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SubjectPublicKeyInfo,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::time::Duration;
use wasmhost_proto::limits::{AUTHORITY_MS, CLOCK_SKEW_MS, WORKER_CERT_MS};
use wasmhost_proto::{Digest, Timestamp};

/// The name under which workers verify a primary, whatever its address.
pub(crate) const SERVER_NAME: &str = "wasmhost-primary";

/// A cluster's authority.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    not_after: Timestamp,
}

/// A certificate for a server, with its key. Made anew at each start: its key
/// is never written.
pub struct ServerIdentity {
    /// The server's certificate, then the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The server's key.
    pub key: PrivateKeyDer<'static>,
}

impl Authority {
    /// Reads `dir/ca/authority.pem`, or makes it with a new key. Beside it lies
    /// `ca.crt`, the certificate alone, for clients that want to trust it.
    pub fn load_or_create(dir: &Path) -> Result<Authority, AuthorityError> {
        let dir = dir.join("ca");
        let path = dir.join("authority.pem");
        let file_error = |source| AuthorityError::File {
            path: path.clone(),
            source,
        };
        files::private_dir(&dir).map_err(file_error)?;
        let pem = match files::read(&path).map_err(file_error)? {
            Some(pem) => pem,
            None => {
                let pem = create().map_err(AuthorityError::Sign)?.into_bytes();
                files::write(&path, &pem, 0o600).map_err(file_error)?;
                pem
            }
        };
        let authority = Authority::parse(&pem).map_err(|why| AuthorityError::Damaged {
            path: path.clone(),
            why,
        })?;
        files::write(
            &dir.join("ca.crt"),
            authority.certificate_pem().as_bytes(),
            0o644,
        )
        .map_err(file_error)?;
        Ok(authority)
    }

    fn parse(pem: &[u8]) -> Result<Authority, String> {
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|e| e.to_string())?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|e| e.to_string())?;
        let key = KeyPair::try_from(&key).map_err(|e| e.to_string())?;
        let facts = certificate::Facts::read(&certificate)?;
        if facts.public_key != key.subject_public_key_info() {
            return Err("the key is not the certificate's".into());
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|e| e.to_string())?;
        Ok(Authority {
            certificate,
            issuer,
            not_after: facts.not_after,
        })
    }

    /// The SHA-256 of the certificate: what join tokens carry.
    pub fn fingerprint(&self) -> Digest {
        fingerprint(&self.certificate)
    }

    /// A short name of the cluster: the first 12 digits of the fingerprint.
    pub fn cluster(&self) -> String {
        self.fingerprint().hex()[..12].to_owned()
    }

    /// The authority's certificate in DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The same at every start of this cluster's primary, and known to nobody
    /// else: what stateless resets are made from. It tells nothing of the key.
    pub(crate) fn reset_secret(&self) -> [u8; 32] {
        let key = self.issuer.key().serialize_der();
        let mut hash = Sha256::new_with_prefix(b"wasmhost quic stateless reset");
        hash.update(key);
        hash.finalize().into()
    }

    /// A new key and certificate for a server of this cluster that is reached
    /// under `names` (host names or addresses).
    pub fn server_identity(&self, names: &[String]) -> Result<ServerIdentity, AuthorityError> {
        let sign = |e: rcgen::Error| AuthorityError::Sign(e.to_string());
        let key = KeyPair::generate().map_err(sign)?;
        let mut all = vec![SERVER_NAME.to_owned()];
        all.extend(names.iter().filter(|name| *name != SERVER_NAME).cloned());
        let mut params = leaf(SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth);
        params.subject_alt_names = CertificateParams::new(all).map_err(sign)?.subject_alt_names;
        let from = Timestamp(certificate::now().0.saturating_sub(CLOCK_SKEW_MS));
        set_validity(&mut params, from, self.not_after);
        let leaf = params.signed_by(&key, &self.issuer).map_err(sign)?;
        Ok(ServerIdentity {
            chain: vec![leaf.der().clone(), self.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        })
    }

    /// A worker's certificate for its public key (SubjectPublicKeyInfo in DER), from now on.
    pub(crate) fn sign_worker(
        &self,
        public_key: &[u8],
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let now = certificate::now();
        self.sign_worker_between(
            public_key,
            Timestamp(now.0.saturating_sub(CLOCK_SKEW_MS)),
            Timestamp(now.0 + WORKER_CERT_MS),
        )
    }

    pub(crate) fn sign_worker_between(
        &self,
        public_key: &[u8],
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let sign = |e: rcgen::Error| AuthorityError::Sign(e.to_string());
        let subject = SubjectPublicKeyInfo::from_der(public_key).map_err(sign)?;
        let name = certificate::worker_id(public_key).to_string();
        let mut params = leaf(&name, ExtendedKeyUsagePurpose::ClientAuth);
        set_validity(&mut params, not_before, not_after);
        Ok(params
            .signed_by(&subject, &self.issuer)
            .map_err(sign)?
            .der()
            .clone())
    }
}

/// A new authority: its certificate and its key, as one PEM text.
fn create() -> Result<String, String> {
    let text = |e: rcgen::Error| e.to_string();
    let key = KeyPair::generate().map_err(text)?;
    let now = certificate::now();
    let mut params = CertificateParams::default();
    let id = certificate::worker_id(&key.subject_public_key_info());
    params.distinguished_name = named(&format!("wasmhost cluster {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(
        &mut params,
        Timestamp(now.0.saturating_sub(CLOCK_SKEW_MS)),
        Timestamp(now.0 + AUTHORITY_MS),
    );
    let certificate = params.self_signed(&key).map_err(text)?;
    Ok(pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", &key.serialize_der()))
}

fn leaf(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn set_validity(params: &mut CertificateParams, from: Timestamp, to: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_millis(from.0);
    params.not_after = epoch + Duration::from_millis(to.0);
}

/// RFC 7468: base 64 in lines of 64 characters.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out + &format!("-----END {label}-----\n")
}
