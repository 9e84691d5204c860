//! Modules from OCI images: folders, and registries of which one is made here to lie.
#![allow(clippy::unwrap_used)]

use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use wasmhost_tests::{Cluster, Options, free_port, task};

const WASM: &str = "application/wasm";
const TAG: &str = "org.opencontainers.image.ref.name";

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// A descriptor of content.
fn descriptor(media: &str, bytes: &[u8]) -> serde_json::Value {
    json!({ "mediaType": media, "digest": digest(bytes), "size": bytes.len() })
}

/// The manifest of an image with these layers.
fn manifest(layers: &[(&str, &[u8])]) -> Vec<u8> {
    let layers: Vec<_> = layers
        .iter()
        .map(|(media, bytes)| descriptor(media, bytes))
        .collect();
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.wasm.config.v0+json", b"{}"),
        "layers": layers,
    })
    .to_string()
    .into_bytes()
}

/// Writes an image into a folder of the OCI layout, one tag for each manifest.
fn layout(folder: &Path, blobs: &[&[u8]], tagged: &[(&str, &[u8])]) {
    let all = folder.join("blobs/sha256");
    fs::create_dir_all(&all).unwrap();
    for bytes in blobs.iter().chain(tagged.iter().map(|(_, bytes)| bytes)) {
        fs::write(all.join(&digest(bytes)[7..]), bytes).unwrap();
    }
    let entry = |(tag, bytes): &(&str, &[u8])| {
        let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", bytes);
        entry["annotations"] = json!({ TAG: tag });
        entry
    };
    let index: Vec<_> = tagged.iter().map(entry).collect();
    let index = json!({ "schemaVersion": 2, "manifests": index });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(
        folder.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
}

/// Pushes; how it ends, and a part of what is said of it.
fn push(cluster: &Cluster, reference: &str, code: i32, part: &str) {
    let run = cluster.run(&["module", "push", reference, "--name", "pushed"]);
    let said = format!("{}{}", run.text(), run.stderr);
    assert!(
        run.code == code && said.contains(part),
        "{reference}: {}: {said}",
        run.code
    );
}

fn no_workers() -> Cluster {
    Cluster::start(Options {
        workers: 0,
        ..Options::default()
    })
}

#[test]
fn folders_give_their_modules_and_nothing_else() {
    let cluster = Cluster::start(Options::default());
    let module = fs::read(task("echo")).unwrap();
    let folder = cluster.dir().join("images/echo");
    let good = manifest(&[(WASM, &module)]);
    let two = manifest(&[(WASM, &module), (WASM, b"x")]);
    let none = manifest(&[("application/vnd.oci.image.layer.v1.tar+gzip", b"x")]);
    let changed = manifest(&[(WASM, b"what it was")]);
    let gone = manifest(&[(WASM, b"gone")]);
    layout(
        &folder,
        &[&module],
        &[
            ("1.0", &good),
            ("two", &two),
            ("none", &none),
            ("changed", &changed),
            ("gone", &gone),
        ],
    );
    let path = folder
        .join("blobs/sha256")
        .join(&digest(b"what it was")[7..]);
    fs::write(path, "what it is").unwrap();
    let of = |rest: &str| format!("oci-layout:images/echo{rest}");
    for (rest, code, part) in [
        (":1.0".to_owned(), 0, digest(&good)),
        (format!("@{}", digest(&good)), 0, "pushed".into()),
        (":2.0".into(), 3, "there are 1.0, two".into()),
        (String::new(), 5, "several images".into()),
        (":two".into(), 5, "more than one module".into()),
        (":none".into(), 5, "tar+gzip".into()),
        (":changed".into(), 5, "what came as sha256:".into()),
        (":gone".into(), 1, "cannot read".into()),
        (format!("@{}", digest(b"other")), 3, "no such image".into()),
        ("@sha256:12".into(), 5, "64 hexadecimal".into()),
    ] {
        push(&cluster, &of(&rest), code, &part);
    }
    fs::write(folder.join("index.json"), "{").unwrap();
    push(&cluster, &of(":1.0"), 5, "its manifest is none");

    layout(&folder, &[], &[("1.0", &good)]);
    let job = cluster
        .submit("[task]\nmodule = 'oci-layout:images/echo:1.0'\ninput = 'through an image'\n");
    let view = cluster.finish(&job);
    assert_eq!(view["state"], "succeeded", "{view}\n{}", cluster.explain());
    let bad = cluster.dir().join("bad.toml");
    fs::write(&bad, "[task]\nmodule = 'oci://registry.example/a'\n").unwrap();
    let run = cluster.run(&["check", &bad.to_string_lossy()]);
    assert_eq!(run.code, 5, "{}", run.stderr);
    assert!(
        run.stderr.contains("neither a tag nor a digest"),
        "{}",
        run.stderr
    );
}

/// What a registry answers to a path: a status, a type and content.
type Answers = HashMap<String, (u16, &'static str, Vec<u8>)>;

/// A registry that answers what it is told to, and asks for a login below `/v2/closed`.
/// It ends with the test's process.
fn registry(answers: Answers) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever hangs up early is its own test.
            let _ = answer(stream, &answers);
        }
    });
    port
}

fn answer(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or("").to_owned();
    let mut known = false;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        // user:secret
        known |= line == "authorization: basic dxnlcjpzzwnyzxq=";
        if line.is_empty() {
            break;
        }
    }
    let closed = path == "/v2/" || path.starts_with("/v2/closed/");
    let unknown = (
        404,
        "application/json",
        br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#.to_vec(),
    );
    let refused = (
        401,
        "application/json",
        br#"{"errors":[{"code":"UNAUTHORIZED"}]}"#.to_vec(),
    );
    let (status, media, body) = match closed && !known {
        true => refused,
        false => answers.get(&path).cloned().unwrap_or(unknown),
    };
    let challenge = match status {
        401 => "www-authenticate: Basic realm=\"test\"\r\n",
        _ => "",
    };
    write!(
        stream,
        "HTTP/1.1 {status} Said\r\ncontent-type: {media}\r\n{challenge}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

#[test]
fn registries_are_believed_what_they_can_show() {
    const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    let module = fs::read(task("echo")).unwrap();
    let good = manifest(&[(WASM, &module)]);
    let lying = manifest(&[(WASM, b"promised")]);
    let longer = manifest(&[(WASM, b"short")]);
    let two = manifest(&[(WASM, &module), (WASM, b"x")]);
    let mut answers = Answers::new();
    for name in ["open", "closed/tool"] {
        answers.insert(
            format!("/v2/{name}/manifests/1.0"),
            (200, IMAGE, good.clone()),
        );
        let blob = format!("/v2/{name}/blobs/{}", digest(&module));
        answers.insert(blob, (200, "application/octet-stream", module.clone()));
    }
    let by_digest = |bytes: &[u8]| format!("/v2/open/manifests/{}", digest(bytes));
    answers.insert(by_digest(&good), (200, IMAGE, good.clone()));
    answers.insert(by_digest(b"other"), (200, IMAGE, good.clone()));
    for (tag, image, blob, content) in [
        ("lying", &lying, &b"promised"[..], &b"promisex"[..]),
        ("longer", &longer, b"short", b"short and more"),
    ] {
        answers.insert(
            format!("/v2/open/manifests/{tag}"),
            (200, IMAGE, image.clone()),
        );
        let path = format!("/v2/open/blobs/{}", digest(blob));
        answers.insert(path, (200, "application/octet-stream", content.to_vec()));
    }
    answers.insert("/v2/open/manifests/two".into(), (200, IMAGE, two));
    answers.insert(
        "/v2/open/manifests/page".into(),
        (200, "text/html", b"<html>".to_vec()),
    );
    answers.insert(
        "/v2/open/manifests/index".into(),
        (
            200,
            "application/vnd.oci.image.index.v1+json",
            json!({ "schemaVersion": 2, "manifests": [descriptor(IMAGE, &good)] })
                .to_string()
                .into_bytes(),
        ),
    );
    let port = registry(answers);
    let cluster = no_workers();
    for (rest, code, part) in [
        ("open:1.0".to_owned(), 0, digest(&good)),
        (format!("open@{}", digest(&good)), 0, "pushed".into()),
        (format!("open@{}", digest(b"other")), 5, "sha256:".into()),
        ("open:2.0".into(), 3, "no such image".into()),
        ("open:lying".into(), 5, "igest".into()),
        ("open:longer".into(), 5, "longer".into()),
        ("open:two".into(), 5, "more than one module".into()),
        ("open:page".into(), 5, "its manifest is none".into()),
        ("open:index".into(), 5, "index of several".into()),
        ("closed/tool:1.0".into(), 4, "WASMHOST_OCI_USERNAME".into()),
    ] {
        push(
            &cluster,
            &format!("oci://127.0.0.1:{port}/{rest}"),
            code,
            &part,
        );
    }
    let login = cluster
        .command(&[
            "module",
            "push",
            &format!("oci://127.0.0.1:{port}/closed/tool:1.0"),
        ])
        .env("WASMHOST_OCI_USERNAME", "user")
        .env("WASMHOST_OCI_PASSWORD", "secret")
        .output()
        .unwrap();
    assert!(
        login.status.success(),
        "{}",
        String::from_utf8_lossy(&login.stderr)
    );
    // Nobody listens there.
    let free = free_port();
    push(
        &cluster,
        &format!("oci://127.0.0.1:{free}/a:1"),
        6,
        "cannot be reached",
    );
}
