//! Modules from a registry that is none of ours: `docker-registry`, with a login. Where it is
//! not installed the test says so and shows nothing: on Debian, `apt-get install docker-registry`.
#![allow(clippy::unwrap_used)]

use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use wasmhost_tests::http::{answers, exchange};
use wasmhost_tests::{Cluster, Options, Process, free_port, task, wait_until};

/// Who may pull, and the line of the password file that says so.
const LOGIN: (&str, &str) = ("puller", "open sesame");
const KNOWN: &str = "puller:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";
/// The same as a client says it.
const BASIC: &str = "cHVsbGVyOm9wZW4gc2VzYW1l";
const PATIENCE: Duration = Duration::from_secs(30);

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let all = std::env::split_paths(&path).map(|folder| folder.join("docker-registry"));
    all.into_iter().find(|program| program.is_file())
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// One request with the login; its status and the place that the answer names.
fn send(port: u16, method: &str, path: &str, media: &str, body: &[u8]) -> (u16, String) {
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\nauthorization: Basic {BASIC}\r\n\
         content-type: {media}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = exchange(port, &[head.as_bytes(), body].concat());
    let place = answer.head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("location")
            .then(|| value.trim().to_owned())
    });
    (answer.status, place.unwrap_or_default())
}

/// Puts content into the repository `echo`.
fn put_blob(port: u16, bytes: &[u8]) {
    let (status, place) = send(port, "POST", "/v2/echo/blobs/uploads/", "text/plain", b"");
    assert_eq!(status, 202);
    let path = place
        .split_once(&format!(":{port}"))
        .map_or(place.as_str(), |(_, path)| path);
    let joint = if path.contains('?') { '&' } else { '?' };
    let path = format!("{path}{joint}digest={}", digest(bytes));
    let (status, _) = send(port, "PUT", &path, "application/octet-stream", bytes);
    assert_eq!(status, 201);
}

fn start(program: &Path, folder: &Path) -> (Process, u16) {
    let port = free_port();
    fs::create_dir_all(folder).unwrap();
    let (known, config) = (folder.join("known"), folder.join("config.yml"));
    fs::write(&known, KNOWN).unwrap();
    let text = format!(
        "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n\
         auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
        folder.join("content").display(),
        known.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(program);
    command.arg("serve").arg(&config);
    let registry = Process::start("registry", folder, &mut command);
    let answers = || answers(port).then_some(());
    wait_until("the registry to listen", PATIENCE, answers, || {
        registry.tail()
    });
    (registry, port)
}

#[test]
fn a_registry_of_others_gives_its_modules() {
    let Some(program) = program() else {
        eprintln!("LEFT OUT: docker-registry is not installed: apt-get install docker-registry");
        return;
    };
    let cluster = Cluster::start(Options::default());
    let (_registry, port) = start(&program, &cluster.dir().join("registry"));
    let module = fs::read(task("echo")).unwrap();
    put_blob(port, &module);
    put_blob(port, b"{}");
    let of = |media: &str, bytes: &[u8]| json!({ "mediaType": media, "digest": digest(bytes), "size": bytes.len() });
    const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    let image = json!({
        "schemaVersion": 2, "mediaType": IMAGE,
        "config": of("application/vnd.wasm.config.v0+json", b"{}"),
        "layers": [of("application/wasm", &module)],
    });
    let image = image.to_string().into_bytes();
    let (status, _) = send(port, "PUT", "/v2/echo/manifests/1.0", IMAGE, &image);
    assert_eq!(status, 201);

    let definition = cluster.dir().join("echo.toml");
    let submit = |reference: &str, password: &str| {
        let text = format!(
            "[task]\nmodule = 'oci://127.0.0.1:{port}/echo{reference}'\ninput = 'from afar'\n"
        );
        fs::write(&definition, text).unwrap();
        let mut submit = cluster.command(&["submit", &definition.to_string_lossy(), "--wait"]);
        submit.env("WASMHOST_OCI_USERNAME", LOGIN.0);
        submit.env("WASMHOST_OCI_PASSWORD", password);
        let output = submit.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            said,
        )
    };
    for reference in [":1.0".to_owned(), format!("@{}", digest(&image))] {
        let (code, text, said) = submit(&reference, LOGIN.1);
        assert_eq!(
            (code, text.trim()),
            (Some(0), "\"from afar\""),
            "{reference}: {said}"
        );
    }
    for (reference, password, code) in [(":1.0", "guessed", 4), (":2.0", LOGIN.1, 3)] {
        let (got, _, said) = submit(reference, password);
        assert_eq!(got, Some(code), "{reference}: {said}");
    }
}
