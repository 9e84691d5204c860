//! Modules in OCI images: pulled from a registry or a folder, checked against their
//! digests. Takes images that hold one module; runs and unpacks nothing.

mod credentials;
mod layout;
mod manifest;
mod registry;

use super::context::Context;
use super::exit::{Exit, Fault};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use wasmhost_jobc::{Image, Place};
use wasmhost_proto::Digest;

/// A module from an image.
pub(crate) struct Pulled {
    /// Its content.
    pub(crate) bytes: Bytes,
    /// The image's name.
    pub(crate) name: String,
}

/// Pulls the module of an image; folders begin in `base`. Says which digest a tag meant.
pub(crate) async fn pull(cx: &Context, reference: &str, base: &Path) -> anyhow::Result<Pulled> {
    let image: Image = reference
        .parse()
        .map_err(|why| fault("bad_image", reference, why))?;
    let (bytes, digest) = match &image.place {
        Place::Registry(host, name) => registry::pull(&image, host, name).await?,
        Place::Layout(folder) => layout::read(&image, &base.join(folder))?,
    };
    let pinned = Image {
        digest: Some(digest),
        ..image.clone()
    };
    cx.out.talk(format!("took the module of {pinned}"));
    Ok(Pulled {
        bytes,
        name: super::modules::name_of(image.name()),
    })
}

/// A refusal of an image.
fn fault(code: &str, image: impl std::fmt::Display, why: impl std::fmt::Display) -> Fault {
    Fault::new(Exit::REFUSED, code, format!("{image}: {why}"))
}

/// Content that is what it is called.
fn verified(image: &Image, bytes: &[u8], want: Digest) -> Result<(), Fault> {
    let got = Digest(Sha256::digest(bytes).into());
    if got == want {
        return Ok(());
    }
    let why = format!("what came as {want} is {got}");
    Err(fault("digest_mismatch", image, why)
        .help("the registry or something on the way changes content: do not use it"))
}
