//! The files of tasks, as clients upload them, and the plans they become.
#![allow(clippy::unwrap_used)]

use wasmhost_jobc::{Ambiguous, Catalogue, ModuleFacts, folder_file, folder_key};
use wasmhost_proto::Digest;
use wasmhost_proto::api::SubmitRequest;
use wasmhost_proto::files::{Files, InputContent, InputFiles};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::MAX_FILES;
use wasmhost_proto::module::ModuleKind;

/// Has every module.
struct Shelf;

impl Catalogue for Shelf {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        Some(ModuleFacts {
            digest,
            len: 7,
            kind: ModuleKind::Command,
        })
    }

    fn find(&self, _: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        Ok(self.digest(Digest([1; 32])))
    }

    fn imports(&self, _: Digest) -> Vec<String> {
        vec!["wasi:filesystem/types@0.2.6".into()]
    }
}

const BLOB: BlobRef = BlobRef {
    digest: Digest([9; 32]),
    len: 3,
};

/// A submission of one task; each path is a file that was uploaded, each list a folder.
fn request(more: &str, files: &[&str], folders: &[(&str, Vec<String>)]) -> SubmitRequest {
    let files = files.iter().map(|path| ((*path).to_owned(), BLOB));
    let inside = folders.iter().flat_map(|(folder, list)| {
        let each = list.iter();
        each.map(|path| (folder_file(folder, path), BLOB))
    });
    let lists = folders.iter();
    SubmitRequest {
        definition: format!("[task]\nmodule = \"m\"\n{more}\n"),
        files: files.chain(inside).collect(),
        lists: lists
            .map(|(folder, list)| (folder_key(folder), list.clone()))
            .collect(),
        ..SubmitRequest::default()
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn files_and_folders_are_put_in_their_places() {
    let check = |request: SubmitRequest, want: Option<Files>| {
        let planned = wasmhost_jobc::plan(&request, &Shelf);
        let planned = planned.unwrap_or_else(|e| panic!("{}: {e:?}", request.definition));
        let files = planned.plan.nodes[0].files.as_deref().cloned();
        assert_eq!(files, want, "{}", request.definition);
    };
    check(request("", &[], &[]), None);
    let scratch = Files {
        inputs: vec![],
        scratch: Some(1 << 20),
        collect: names(&["*.html", "out/**"]),
    };
    let more = "scratch = \"1MiB\"\ncollect = [\"*.html\", \"out/**\"]";
    check(request(more, &[], &[]), Some(scratch));
    let all = request(
        "files = { \"/z\" = \"one\", \"/a/b\" = \"notes/\" }",
        &["one"],
        &[("notes/", names(&["y", "x/z", "y"]))],
    );
    let folder = [("x/z".to_owned(), BLOB), ("y".to_owned(), BLOB)];
    let input = |at: &str, content| InputFiles {
        at: at.into(),
        content,
    };
    let want = Files {
        inputs: vec![
            input("/a/b", InputContent::Folder(folder.into())),
            input("/z", InputContent::File(BLOB)),
        ],
        scratch: None,
        collect: vec![],
    };
    check(all, Some(want));
}

#[test]
fn what_a_client_sends_is_looked_at() {
    let check = |request: SubmitRequest, code: &str, says: &str| {
        let errors = wasmhost_jobc::plan(&request, &Shelf).unwrap_err();
        let found = errors.iter().find(|e| e.code == code);
        let found = found.unwrap_or_else(|| panic!("{errors:?}"));
        assert!(
            found.message.contains(says) && found.span.is_some(),
            "{found:?}"
        );
    };
    let folder = |list: Vec<String>| {
        let more = "files = { \"/d\" = \"notes\" }";
        request(more, &[], &[("notes", list)])
    };
    for bad in ["../x", "/x", "a//b", "", "a/./b"] {
        check(folder(names(&["ok", bad])), "bad-value", "cannot be a file");
    }
    // A file is no folder of another.
    check(folder(names(&["a", "a/b"])), "bad-value", "\"a/b\"");
    let many = (0..=MAX_FILES).map(|n| n.to_string()).collect();
    check(folder(many), "too-large", "may have 1024");
    let long = (0..300).map(|n| format!("{n:0>250}")).collect();
    check(folder(long), "too-large", "75000 bytes of paths");
    let missing = request("files = { \"/d\" = \"one\" }", &[], &[]);
    check(missing, "missing-file", "\"one\"");
}

#[test]
fn a_look_tells_files_and_what_they_allow() {
    let more = "scratch = \"64KiB\"\nfiles = { \"/d\" = \"notes\", \"/e\" = \"one\" }";
    let all = request(more, &[], &[("notes", names(&["a", "b"]))]);
    let view = wasmhost_jobc::check(&all, &Shelf).unwrap();
    let node = &view.nodes[0];
    let files: Vec<_> = node
        .files
        .iter()
        .map(|f| (f.at.as_str(), f.files))
        .collect();
    assert_eq!(files, [("/d", Some(2)), ("/e", None)]);
    assert_eq!(node.scratch, Some(64 << 10));
    assert_eq!(node.imports[0].grant, None);
    let none = wasmhost_jobc::check(&request("", &[], &[]), &Shelf).unwrap();
    assert_eq!(
        none.nodes[0].imports[0].grant.as_deref(),
        Some("filesystem")
    );
}
