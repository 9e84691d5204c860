//! Images in a registry. Plain HTTP to this machine alone.

use super::{credentials, fault, manifest, verified};
use crate::cli::exit::{Exit, Fault};
use bytes::Bytes;
use futures_util::StreamExt;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError as Error, OciErrorCode};
use oci_client::{Client, Reference};
use std::time::Duration;
use wasmhost_jobc::Image;
use wasmhost_proto::Digest;
use wasmhost_proto::limits::MAX_MANIFEST_OCI;

/// Until a registry is reached, and between two pieces of an answer.
const CONNECT: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_secs(60);
/// For a manifest in all, which is small.
const MANIFEST: Duration = Duration::from_secs(60);

const TYPES: [&str; 3] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The module of an image, and the digest of the image's manifest.
pub(super) async fn pull(image: &Image, host: &str, name: &str) -> anyhow::Result<(Bytes, Digest)> {
    let config = ClientConfig {
        protocol: match is_loopback(host) {
            true => ClientProtocol::Http,
            false => ClientProtocol::Https,
        },
        connect_timeout: Some(CONNECT),
        read_timeout: Some(STALL),
        user_agent: concat!("wasmhost/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    let client = Client::try_from(config).map_err(|error| told(image, host, error))?;
    let (registry, repository) = (host.to_owned(), name.to_owned());
    let reference = match (&image.digest, &image.tag) {
        (Some(digest), _) => Reference::with_digest(registry, repository, digest.to_string()),
        (None, tag) => {
            let tag = tag.clone().unwrap_or_default();
            Reference::with_tag(registry, repository, tag)
        }
    };
    let auth = credentials::of(host);
    let pulled = client.pull_manifest_raw(&reference, &auth, &TYPES);
    let pulled = tokio::time::timeout(MANIFEST, pulled).await;
    let slow = |_| unreachable(image, host, "it does not answer in time");
    let (bytes, digest) = pulled.map_err(slow)?.map_err(|e| told(image, host, e))?;
    if bytes.len() as u64 > MAX_MANIFEST_OCI {
        let why = format!(
            "its manifest has {} bytes: at most {MAX_MANIFEST_OCI} are read",
            bytes.len()
        );
        return Err(fault("too_large", image, why).into());
    }
    let digest = match image.digest {
        Some(digest) => digest,
        None => digest
            .parse()
            .map_err(|_| fault("bad_image", image, format!("'{digest}' is no digest")))?,
    };
    verified(image, &bytes, digest)?;
    let layer = manifest::layer(image, &manifest::parse(image, &bytes)?)?;
    let want = layer.sha256(image)?;

    let stream = client.pull_blob_stream(&reference, layer.digest.as_str());
    let mut stream = stream.await.map_err(|e| told(image, host, e))?.stream;
    let mut module = Vec::new();
    while let Some(piece) = stream.next().await {
        // The library checks the digest, too, and says so at the end of the stream.
        let piece = piece.map_err(|error| match error.to_string().contains("igest") {
            true => fault("digest_mismatch", image, error),
            false => unreachable(image, host, &error.to_string()),
        })?;
        if (module.len() + piece.len()) as u64 > layer.size {
            let why = format!(
                "its module is longer than the {} bytes it is said to have",
                layer.size
            );
            return Err(fault("digest_mismatch", image, why).into());
        }
        module.extend_from_slice(&piece);
    }
    verified(image, &module, want)?;
    Ok((module.into(), digest))
}

/// Whether a host, maybe with a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let ip = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    name == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

fn unreachable(image: &Image, host: &str, why: &str) -> Fault {
    let title = format!("{image}: the registry {host} cannot be reached: {why}");
    Fault::new(Exit::UNREACHABLE, "registry_unreachable", title)
}

/// What the library says, as what it means here.
fn told(image: &Image, host: &str, error: Error) -> Fault {
    let codes: Vec<&OciErrorCode> = match &error {
        Error::RegistryError { envelope, .. } => envelope.errors.iter().map(|e| &e.code).collect(),
        _ => Vec::new(),
    };
    let has = |wanted: &[OciErrorCode]| codes.iter().any(|code| wanted.contains(code));
    let missing = [
        OciErrorCode::ManifestUnknown,
        OciErrorCode::NameUnknown,
        OciErrorCode::BlobUnknown,
        OciErrorCode::NotFound,
    ];
    let closed = [OciErrorCode::Unauthorized, OciErrorCode::Denied];
    match &error {
        _ if has(&missing) => no_such_image(image),
        Error::ImageManifestNotFoundError(_) | Error::ServerError { code: 404, .. } => {
            no_such_image(image)
        }
        _ if has(&closed) => unauthorised(image, host),
        Error::UnauthorizedError { .. }
        | Error::AuthenticationFailure(_)
        | Error::ServerError {
            code: 401 | 403, ..
        } => unauthorised(image, host),
        Error::DigestError(why) => fault("digest_mismatch", image, why)
            .help("the registry or something on the way changes content: do not use it"),
        Error::RequestError(why) => {
            let mut cause: &dyn std::error::Error = why;
            while let Some(next) = cause.source() {
                cause = next;
            }
            unreachable(image, host, &cause.to_string())
        }
        other => fault("bad_image", image, other),
    }
}

fn no_such_image(image: &Image) -> Fault {
    let title = format!("{image}: the registry has no such image");
    Fault::new(Exit::NOT_FOUND, "no_such_image", title)
        .help("some registries say the same of images that need a login")
}

fn unauthorised(image: &Image, host: &str) -> Fault {
    let title = format!("{image}: the registry does not let you have it");
    Fault::new(Exit::UNAUTHENTICATED, "unauthorized", title).help(format!(
        "set WASMHOST_OCI_USERNAME and WASMHOST_OCI_PASSWORD, or log in to {host} with a tool that writes ~/.docker/config.json"
    ))
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn this_machine_alone_is_spoken_to_in_the_clear() {
        for (host, want) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:5000", true),
            ("[::1]:5000", true),
            ("ghcr.io", false),
            ("localhost.example.org", false),
            ("10.0.0.1:5000", false),
        ] {
            assert_eq!(is_loopback(host), want, "{host}");
        }
    }
}
