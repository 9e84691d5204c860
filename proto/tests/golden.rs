//! Golden samples: the bytes of every message are checked in, so that a change
//! of the wire or of the client API cannot pass unseen.
//!
//! A file of `golden/` shows a message as JSON and, for what travels as CBOR, its
//! bytes. After a change that is meant, write them anew with
//! `WASMHOST_UPDATE_GOLDEN=1 cargo test -p wasmhost-proto --test golden`, raise
//! the protocol version if the old bytes no longer read, and say so in
//! `PROTOCOL.md`.
#![allow(clippy::unwrap_used)]

mod samples;

use samples::Sample;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;
use wasmhost_proto::codec::{HEADER, decode, encode, frame_len, write_frame};

trait Message: Serialize + DeserializeOwned + PartialEq + Debug {}
impl<T: Serialize + DeserializeOwned + PartialEq + Debug> Message for T {}

/// Checks one sample as JSON and CBOR against its file.
fn cbor<T: Message>(name: &str, value: &T) {
    let bytes = encode(value).unwrap();
    assert_eq!(
        decode::<T>(&bytes).as_ref(),
        Ok(value),
        "{name}: CBOR reads back"
    );
    let mut frame = Vec::new();
    write_frame(value, &mut frame).unwrap();
    assert_eq!(
        frame_len(frame[..HEADER].try_into().unwrap()),
        Ok(bytes.len())
    );
    assert_eq!(frame[HEADER..], bytes);

    let lines = bytes.chunks(32).map(|chunk| {
        let pairs: Vec<String> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(" ") + "\n"
    });
    let golden = golden(
        name,
        format!("{}\n{}", json(name, value), lines.collect::<String>()),
    );
    let hex: String = golden
        .rsplit("\n\n")
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let digit = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    let stored: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect();
    assert_eq!(
        decode::<T>(&stored).as_ref(),
        Ok(value),
        "{name}: the file's bytes read"
    );
}

/// Checks one sample as JSON against its file.
fn text<T: Message>(name: &str, value: &T) {
    golden(name, json(name, value));
}

/// The JSON of a value, which reads back.
fn json<T: Message>(name: &str, value: &T) -> String {
    let json = serde_json::to_string_pretty(value).unwrap() + "\n";
    assert_eq!(
        &serde_json::from_str::<T>(&json).unwrap(),
        value,
        "{name}: JSON reads back"
    );
    json
}

/// The file's content, which must be `want`.
fn golden(name: &str, want: String) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"));
    if std::env::var_os("WASMHOST_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    let found =
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert!(
        found == want,
        "{name} is not what its golden sample says\n{want}\ninstead of\n{found}"
    );
    found
}

/// Checks the samples of an enum: all its variants, which serde names when it
/// meets another one.
fn all<T: Message>(group: &str, samples: Vec<Sample<T>>) {
    let error = serde_json::from_str::<T>("\"no such variant\"")
        .unwrap_err()
        .to_string();
    let variants: BTreeSet<&str> = error.split('`').skip(3).step_by(2).collect();
    let mut seen = BTreeSet::new();
    for (name, value) in &samples {
        let variant = name.split('.').next().unwrap();
        let json = serde_json::to_value(value).unwrap();
        let is = json
            .as_str()
            .or_else(|| json.as_object()?.keys().next().map(String::as_str));
        assert_eq!(is, Some(variant), "{group}: {name}");
        seen.insert(variant);
        cbor(&format!("{group}.{name}"), value);
    }
    assert_eq!(seen, variants, "{group}: a sample of each variant");
}

#[test]
fn wire() {
    all("to_worker", samples::wire::to_worker());
    all("to_primary", samples::wire::to_primary());
    cbor("primary_frame", &samples::wire::primary_frame());
    cbor("worker_frame", &samples::wire::worker_frame());
}

#[test]
fn streams() {
    all("stream_request", samples::wire::stream_request());
    all("fetch_answer", samples::wire::fetch_answer());
    all("push_answer", samples::wire::push_answer());
    all("certificate_answer", samples::wire::certificate_answer());
    cbor("join_request", &samples::wire::join_request());
}

#[test]
fn executor() {
    all("to_executor", samples::executor::to_executor());
    all("from_executor", samples::executor::from_executor());
}

#[test]
fn api() {
    use samples::api::*;
    text("api.submit_request", &submit_request());
    text("api.submit_stored", &submit_stored());
    text("api.apply_request", &apply_request());
    text("api.definition_view", &definition_view());
    text("api.check_view", &check_view());
    text("api.job_view", &job_view());
    text("api.job_status", &job_status());
    text("api.task_view", &task_view());
    text("api.info", &info());
    text("api.worker_view", &worker_view());
    text("api.module_view", &module_view());
    text("api.library_view", &library_view());
    text("api.token_view", &token_view());
    text("api.problem", &problem());
    let page = wasmhost_proto::api::Page {
        items: vec![token_view()],
        next_cursor: Some("n".into()),
    };
    text("api.page", &page);
    let new = wasmhost_proto::api::NewToken {
        secret: "whj1_…".into(),
        token: token_view(),
    };
    text("api.new_token", &new);
    let token = wasmhost_proto::api::TokenRequest {
        kind: wasmhost_proto::api::TokenKind::Client,
        name: "ci".into(),
        ttl_ms: Some(60_000),
    };
    text("api.token_request", &token);
    text(
        "api.cancel_request",
        &wasmhost_proto::api::CancelRequest {
            grace_ms: Some(500),
        },
    );
    text(
        "api.drain_request",
        &wasmhost_proto::api::DrainRequest { on: true },
    );
}

#[test]
fn no_file_is_left_over() {
    if std::env::var_os("WASMHOST_UPDATE_GOLDEN").is_some() {
        return;
    }
    let mut names = BTreeSet::new();
    let mut group = |group: &str, found: Vec<&str>| {
        names.extend(found.into_iter().map(|name| format!("{group}.{name}")));
    };
    fn of<T>(samples: Vec<Sample<T>>) -> Vec<&'static str> {
        samples.into_iter().map(|(name, _)| name).collect()
    }
    group("to_worker", of(samples::wire::to_worker()));
    group("to_primary", of(samples::wire::to_primary()));
    group("stream_request", of(samples::wire::stream_request()));
    group("fetch_answer", of(samples::wire::fetch_answer()));
    group("push_answer", of(samples::wire::push_answer()));
    group(
        "certificate_answer",
        of(samples::wire::certificate_answer()),
    );
    group("to_executor", of(samples::executor::to_executor()));
    group("from_executor", of(samples::executor::from_executor()));
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".txt").unwrap();
        let single = ["primary_frame", "worker_frame", "join_request"].contains(&name);
        assert!(
            names.contains(name) || single || name.starts_with("api."),
            "{name} has no sample"
        );
    }
}
