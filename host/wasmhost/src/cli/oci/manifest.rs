//! What of an image's manifest matters here: its one layer that is a module.

use super::fault;
use crate::cli::exit::Fault;
use serde::Deserialize;
use std::collections::BTreeMap;
use wasmhost_jobc::Image;
use wasmhost_proto::Digest;
use wasmhost_proto::limits::MAX_MODULE;

/// The media types of modules: what is usual, and two older ones.
const WASM: [&str; 3] = [
    "application/wasm",
    "application/vnd.wasm.content.layer.v1+wasm",
    "application/vnd.module.wasm.content.layer.v1+wasm",
];

/// A manifest, or an index of manifests.
#[derive(Deserialize)]
pub(super) struct Manifest {
    /// Of an image.
    #[serde(default)]
    pub(super) layers: Vec<Descriptor>,
    /// Of an index.
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
}

/// Some content, by its digest.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub(super) media_type: String,
    /// As it is written: other kinds of digests are there, and are refused when needed.
    pub(super) digest: String,
    /// Bytes.
    pub(super) size: u64,
    /// Notes, the tag among them.
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Its digest, which must be of the one kind that everybody has.
    pub(super) fn sha256(&self, image: &Image) -> Result<Digest, Fault> {
        let parsed = self.digest.parse().ok();
        let parsed = parsed.filter(|_| self.digest.starts_with(Digest::PREFIX));
        parsed.ok_or_else(|| {
            let shown: String = self.digest.chars().take(80).collect();
            fault(
                "bad_image",
                image,
                format!("'{shown}' is no SHA-256 digest"),
            )
        })
    }
}

/// Reads a manifest.
pub(super) fn parse(image: &Image, bytes: &[u8]) -> Result<Manifest, Fault> {
    serde_json::from_slice(bytes)
        .map_err(|error| fault("bad_image", image, format!("its manifest is none: {error}")))
}

/// The one layer that is a module.
pub(super) fn layer(image: &Image, manifest: &Manifest) -> Result<Descriptor, Fault> {
    if !manifest.manifests.is_empty() {
        let why = "it is an index of several images";
        return Err(fault("bad_image", image, why).help("name one of them by its digest"));
    }
    let is_module = |layer: &&Descriptor| WASM.contains(&layer.media_type.as_str());
    let mut modules = manifest.layers.iter().filter(is_module);
    let Some(layer) = modules.next() else {
        let types = manifest
            .layers
            .iter()
            .map(|layer| layer.media_type.as_str());
        let types: Vec<&str> = types.take(8).collect();
        let has = match types.is_empty() {
            true => "no layer".to_owned(),
            false => types.join(", "),
        };
        let why = format!("it holds no module, but {has}");
        return Err(fault("no_module", image, why)
            .help("a module's layer is of the type application/wasm; images of containers are something else"));
    };
    if modules.next().is_some() {
        let why = "it holds more than one module";
        return Err(fault("many_modules", image, why).help("make an image of each"));
    }
    if layer.size > MAX_MODULE {
        let why = format!(
            "its module has {} bytes: a module has at most {MAX_MODULE}",
            layer.size
        );
        return Err(fault("too_large", image, why));
    }
    Ok(layer.clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn images_hold_one_module() {
        let image: Image = "oci-layout:x".parse().unwrap();
        let check = |manifest: &str, want: Result<u64, &str>| {
            let got = parse(&image, manifest.as_bytes()).and_then(|m| {
                let layer = layer(&image, &m)?;
                layer.sha256(&image)?;
                Ok(layer)
            });
            match (got, want) {
                (Ok(layer), Ok(size)) => assert_eq!(layer.size, size),
                (Err(fault), Err(part)) => {
                    assert!(fault.to_string().contains(part), "{manifest}: {fault}");
                }
                (got, want) => panic!("{manifest}: {:?}, not {want:?}", got.map(|l| l.size)),
            }
        };
        let layer = |media: &str, size: u64| {
            let hex = "0f".repeat(32);
            format!(r#"{{"mediaType":"{media}","digest":"sha256:{hex}","size":{size}}}"#)
        };
        let image_of = |layers: &[String]| format!(r#"{{"layers":[{}]}}"#, layers.join(","));
        let other = layer("application/vnd.oci.image.layer.v1.tar+gzip", 9);
        for media in WASM {
            check(&image_of(&[other.clone(), layer(media, 7)]), Ok(7));
        }
        check(&image_of(&[]), Err("no layer"));
        check(&image_of(&[other]), Err("tar+gzip"));
        let one = layer("application/wasm", 1);
        check(&image_of(&[one.clone(), one.clone()]), Err("more than one"));
        check(
            &image_of(&[layer("application/wasm", 1 << 40)]),
            Err("at most"),
        );
        check(
            &format!(r#"{{"manifests":[{one}]}}"#),
            Err("index of several"),
        );
        check("[]", Err("no layer"));
        check("", Err("its manifest is none"));
        let odd = r#"{"layers":[{"mediaType":"application/wasm","digest":"../../etc","size":1}]}"#;
        check(odd, Err("no SHA-256"));
    }
}
