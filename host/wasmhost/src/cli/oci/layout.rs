//! Images in a folder of the OCI layout: `index.json`, and content by its digest in
//! `blobs/sha256`.

use super::manifest::{self, Descriptor};
use super::{fault, verified};
use crate::cli::exit::{Exit, Fault};
use crate::client::ClientError;
use bytes::Bytes;
use std::io::Read;
use std::path::Path;
use wasmhost_jobc::Image;
use wasmhost_proto::Digest;
use wasmhost_proto::limits::MAX_MANIFEST_OCI;

/// Where an index keeps the tag of an image.
const TAG: &str = "org.opencontainers.image.ref.name";

/// The module of an image, and the digest of the image's manifest.
pub(super) fn read(image: &Image, folder: &Path) -> anyhow::Result<(Bytes, Digest)> {
    let index = file(image, &folder.join("index.json"), MAX_MANIFEST_OCI)?;
    let index = manifest::parse(image, &index)?;
    let chosen = choose(image, &index.manifests)?;
    let digest = chosen.sha256(image)?;
    let found = blob(image, folder, digest, MAX_MANIFEST_OCI)?;
    let layer = manifest::layer(image, &manifest::parse(image, &found)?)?;
    let bytes = blob(image, folder, layer.sha256(image)?, layer.size)?;
    Ok((bytes.into(), digest))
}

/// The image that is meant: by digest, by tag, or the only one.
fn choose<'a>(image: &Image, found: &'a [Descriptor]) -> Result<&'a Descriptor, Fault> {
    let is_it = |entry: &&Descriptor| match (&image.digest, &image.tag) {
        (Some(digest), _) => entry.digest == digest.to_string(),
        (None, Some(tag)) => entry.annotations.get(TAG) == Some(tag),
        (None, None) => true,
    };
    let mut fits = found.iter().filter(is_it);
    let tags: Vec<&str> = found
        .iter()
        .filter_map(|entry| entry.annotations.get(TAG))
        .map(String::as_str)
        .take(20)
        .collect();
    match (fits.next(), fits.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => {
            let title = format!("{image}: there is no such image in the folder");
            let fault = Fault::new(Exit::NOT_FOUND, "no_such_image", title);
            Err(fault.help(format!("there are {}", tags.join(", "))))
        }
        (Some(_), Some(_)) => {
            let fault = fault("bad_image", image, "several images of the folder fit");
            Err(fault.help(format!(
                "name one by its tag or digest: {}",
                tags.join(", ")
            )))
        }
    }
}

fn blob(image: &Image, folder: &Path, digest: Digest, max: u64) -> anyhow::Result<Vec<u8>> {
    let hex = digest.to_string();
    let hex = hex.trim_start_matches(Digest::PREFIX);
    let bytes = file(image, &folder.join("blobs/sha256").join(hex), max)?;
    verified(image, &bytes, digest)?;
    Ok(bytes)
}

fn file(image: &Image, path: &Path, max: u64) -> anyhow::Result<Vec<u8>> {
    let failed = |error| ClientError::File {
        what: format!("cannot read {} of {image}", path.display()),
        error,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max {
        let why = format!("{} is longer than {max} bytes", path.display());
        return Err(fault("too_large", image, why).into());
    }
    Ok(bytes)
}
