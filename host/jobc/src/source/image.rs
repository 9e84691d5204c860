//! References to modules in OCI images: `oci://REGISTRY/NAME:TAG`, with `@sha256:…` in
//! the place of a tag or after it, and `oci-layout:FOLDER:TAG` for a folder on disk.
//! Reads them; whoever has a network fetches what they name.

use std::str::FromStr;
use wasmhost_proto::Digest;

/// A reference as text: longer ones no registry takes.
const MAX_REFERENCE: usize = 1024;
/// A tag, by the specification of registries.
const MAX_TAG: usize = 128;

const REGISTRY: &str = "oci://";
const LAYOUT: &str = "oci-layout:";

/// An image that holds a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Where it is.
    pub place: Place,
    /// Its tag.
    pub tag: Option<String>,
    /// The digest of its manifest.
    pub digest: Option<Digest>,
}

/// Where images are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a registry: its host, with a port where it has one, and the name there.
    Registry(String, String),
    /// In a folder of this layout on the client's machine.
    Layout(String),
}

impl Image {
    /// Whether a text means to be a reference to an image.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(REGISTRY) || text.starts_with(LAYOUT)
    }

    /// What to call it: the last part of its name.
    pub fn name(&self) -> &str {
        let (Place::Registry(_, path) | Place::Layout(path)) = &self.place;
        path.trim_end_matches('/').rsplit('/').next().unwrap_or("")
    }
}

/// What is wrong with a reference.
pub(super) const HELP: &str =
    "write oci://REGISTRY/NAME:TAG, oci://REGISTRY/NAME@sha256:… or oci-layout:FOLDER:TAG";

impl FromStr for Image {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Image, &'static str> {
        if text.len() > MAX_REFERENCE {
            return Err("it is too long");
        }
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => match digest.parse() {
                Ok(parsed) if digest.starts_with(Digest::PREFIX) => (rest, Some(parsed)),
                _ => return Err("what follows @ is not sha256: and 64 hexadecimal digits"),
            },
        };
        let (rest, tag) = match rest.rsplit_once(':') {
            // A port, or the reference's own beginning.
            Some((head, tag)) if !tag.contains('/') && head != "oci-layout" => (head, Some(tag)),
            _ => (rest, None),
        };
        let letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if tag.is_some_and(|t| t.is_empty() || t.len() > MAX_TAG || !t.chars().all(letter)) {
            return Err("its tag is none: letters, digits and . _ -");
        }
        let place = match (rest.strip_prefix(REGISTRY), rest.strip_prefix(LAYOUT)) {
            (Some(rest), _) => registry(rest)?,
            (None, Some(folder)) if !folder.is_empty() => Place::Layout(folder.to_owned()),
            _ => return Err("it names no folder"),
        };
        if matches!(place, Place::Registry(..)) && tag.is_none() && digest.is_none() {
            return Err("it has neither a tag nor a digest");
        }
        Ok(Image {
            place,
            tag: tag.map(str::to_owned),
            digest,
        })
    }
}

fn registry(rest: &str) -> Result<Place, &'static str> {
    let Some((host, name)) = rest.split_once('/') else {
        return Err("it names no image of the registry");
    };
    // As everywhere, a first part without a dot or a port is no host.
    let is_host = host.contains(['.', ':']) || host == "localhost";
    if !is_host
        || !host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".:-[]".contains(c))
    {
        return Err("it names no registry");
    }
    let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let fits = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(small);
    if !name.split('/').all(fits) {
        return Err("the image's name is none: small letters, digits and . _ - /");
    }
    Ok(Place::Registry(host.to_owned(), name.to_owned()))
}

/// As it was given, but for the digest that it came to.
impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Registry(host, name) => write!(f, "{REGISTRY}{host}/{name}")?,
            Place::Layout(folder) => write!(f, "{LAYOUT}{folder}")?,
        }
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let hex = "ab".repeat(32);
        let with = |text: &str| text.replace("HEX", &hex);
        for (text, want) in [
            ("oci://ghcr.io/a/b:1.0", Ok("b")),
            ("oci://localhost/b:1", Ok("b")),
            ("oci://127.0.0.1:5000/b:1", Ok("b")),
            ("oci://127.0.0.1:5000/b@sha256:HEX", Ok("b")),
            ("oci://ghcr.io/b:1@sha256:HEX", Ok("b")),
            ("oci-layout:./images/tool:1.0", Ok("tool")),
            ("oci-layout:images@sha256:HEX", Ok("images")),
            ("oci-layout:images", Ok("images")),
            ("oci://ghcr.io/a", Err("neither a tag")),
            ("oci://127.0.0.1:5000", Err("no image")),
            ("oci://library/a:1", Err("no registry")),
            ("oci://ghcr.io/A:1", Err("small letters")),
            ("oci://ghcr.io/../a:1", Err("small letters")),
            ("oci://ghcr.io/a:", Err("its tag is none")),
            ("oci://ghcr.io/a:b c", Err("its tag is none")),
            ("oci://ghcr.io/a@sha256:12", Err("64 hexadecimal")),
            ("oci://ghcr.io/a@HEX", Err("64 hexadecimal")),
            ("oci://user@ghcr.io/a:1", Err("64 hexadecimal")),
            ("oci-layout:", Err("no folder")),
        ] {
            let text = with(text);
            assert!(Image::is_meant(&text));
            match (text.parse::<Image>(), want) {
                (Ok(image), Ok(name)) => {
                    assert_eq!((image.to_string(), image.name()), (text, name));
                }
                (Err(why), Err(part)) => assert!(why.contains(part), "{text}: {why}"),
                (got, _) => panic!("{text}: {got:?} instead of {want:?}"),
            }
        }
        assert!("oci-layout:x".repeat(200).parse::<Image>().is_err());
    }
}
