//! Who this client is to a registry: two environment variables, or what `docker login`
//! and its likes have left in their file. Starts no helper programs.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

const USER: &str = "WASMHOST_OCI_USERNAME";
const PASSWORD: &str = "WASMHOST_OCI_PASSWORD";
/// A file of logins: a line for each registry.
const MAX_FILE: u64 = 1 << 20;

#[derive(Deserialize, Default)]
struct Config {
    #[serde(default)]
    auths: HashMap<String, Login>,
}

#[derive(Deserialize)]
struct Login {
    /// `user:password` in base64.
    #[serde(default)]
    auth: String,
}

/// The credentials for a registry; nobody's when there are none.
pub(super) fn of(host: &str) -> RegistryAuth {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    if let (Some(user), Some(password)) = (variable(USER), variable(PASSWORD)) {
        return RegistryAuth::Basic(user, password);
    }
    let text = path().and_then(|path| {
        let mut text = String::new();
        let file = std::fs::File::open(path).ok()?;
        file.take(MAX_FILE).read_to_string(&mut text).ok()?;
        Some(text)
    });
    text.and_then(|text| login(&text, host))
        .unwrap_or(RegistryAuth::Anonymous)
}

fn path() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    Some(folder.or_else(home)?.join("config.json"))
}

fn login(text: &str, host: &str) -> Option<RegistryAuth> {
    let config: Config = serde_json::from_str(text).ok()?;
    let name = |key: &str| {
        let key = key.trim_start_matches("https://");
        key.split('/').next() == Some(host)
    };
    let (_, login) = config.auths.iter().find(|(key, _)| name(key))?;
    let both = BASE64_STANDARD.decode(&login.auth).ok()?;
    let both = String::from_utf8(both).ok()?;
    let (user, password) = both.split_once(':')?;
    Some(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_found_by_host() {
        let text = r#"{"auths":{"ghcr.io":{"auth":"YTpiOmM="},"https://x.io/v1/":{"auth":"dTpw"},"e.io":{},"b.io":{"auth":"?"}}}"#;
        let basic = |user: &str, password: &str| {
            Some(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
        };
        for (host, want) in [
            ("ghcr.io", basic("a", "b:c")),
            ("x.io", basic("u", "p")),
            ("e.io", None),
            ("b.io", None),
            ("io", None),
        ] {
            assert_eq!(login(text, host), want, "{host}");
        }
        assert_eq!(login("{", "ghcr.io"), None);
    }
}
