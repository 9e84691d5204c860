//! Reads `files`, `scratch` and `collect`: what a task reads of its definition's files, and whether it
//! writes any, which of them it leaves. What the files are is seen when the client has uploaded them.

use crate::definition::Spot;
use crate::params::{Kind, fill};
use crate::read::{self, Fields, SIZE, clip};
use crate::report::Report;
use crate::scope::Scope;
use wasmhost_proto::files::below_root;
use wasmhost_proto::limits::{MAX_COLLECT, MAX_FILE_ENTRIES, MAX_SCRATCH, MIN_SCRATCH};
use wasmhost_proto::pattern::is_pattern;

/// The folder of every scratch folder that programs look for.
const TMP: &str = "/tmp";

/// Files or a folder, and where a task finds them.
#[derive(Clone, PartialEq, Debug)]
pub struct FileEntry {
    /// The path that the task knows.
    pub at: Spot<String>,
    /// Where they come from.
    pub from: Spot<FileSource>,
}

/// Where files come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileSource {
    /// A file or a folder on the client's machine.
    Path(String),
    /// The file that a parameter names.
    Param(String),
}

/// The name of a folder in `SubmitRequest::lists`, where the paths of its files are.
pub fn folder_key(path: &str) -> String {
    format!("folder:{path}")
}

/// The name of a folder's file in `SubmitRequest::files`.
pub fn folder_file(folder: &str, path: &str) -> String {
    format!("{}/{path}", folder.trim_end_matches('/'))
}

/// Reads `files`; sorted by the task's paths.
pub(crate) fn files(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    scope: &Scope<'_>,
) -> Vec<FileEntry> {
    let Some(fields) = table.table(report, "files") else {
        return Vec::new();
    };
    let mut found: Vec<FileEntry> = Vec::new();
    for (key, value) in fields.entries() {
        let at = Spot {
            value: key.get_ref().to_string(),
            at: key.span(),
        };
        if !is_place(&at.value) {
            let message = format!("\"{}\" cannot be where files are", clip(&at.value));
            let help = "write a path such as \"/data\": absolute, without . and .., not /tmp";
            report.add("bad-value", Some(&at.at), message, help);
            continue;
        }
        let path = fields.path(&clip(&at.value));
        found.extend(
            read::text(report, &path, value)
                .and_then(|from| source(report, &path, from, scope))
                .map(|from| FileEntry { at, from }),
        );
    }
    if let Some(one_more) = found.get(MAX_FILE_ENTRIES) {
        let message = format!(
            "`{}` has {} entries, and may have {MAX_FILE_ENTRIES}",
            table.path("files"),
            found.len()
        );
        let help = "put the files into one folder";
        report.add("too-large", Some(&one_more.at.at), message, help);
    }
    found.sort_by(|a, b| a.at.value.cmp(&b.at.value));
    nested(report, &found);
    found
}

fn is_place(path: &str) -> bool {
    path != TMP && below_root(path).is_some()
}

fn source(
    report: &mut Report<'_>,
    path: &str,
    from: Spot<String>,
    scope: &Scope<'_>,
) -> Option<Spot<FileSource>> {
    let value = match fill::whole(&from.value) {
        Some(name) => {
            let fits = |kind: &Kind| *kind == Kind::File;
            let params = scope.params;
            FileSource::Param(params.of_kind(report, name, &from.at, fits, "file")?)
        }
        None if from.value.trim().is_empty() => {
            report.add("empty", Some(&from.at), format!("`{path}` is empty"), "");
            return None;
        }
        None if from.value.contains("${") => {
            let message = format!("`{path}` holds a placeholder");
            let help =
                "all tasks of an array have the same files: give what differs as their input";
            report.add("bad-value", Some(&from.at), message, help);
            return None;
        }
        None => FileSource::Path(from.value),
    };
    Some(Spot { value, at: from.at })
}

/// Reports what lies below another entry, which is read-only.
fn nested(report: &mut Report<'_>, entries: &[FileEntry]) {
    for entry in entries {
        let path = &entry.at.value;
        let above = entries.iter().find(|other| {
            let rest = path.strip_prefix(other.at.value.as_str());
            rest.is_some_and(|rest| rest.starts_with('/'))
        });
        if let Some(above) = above {
            let message = format!("\"{}\" lies in \"{}\"", clip(path), clip(&above.at.value));
            let help = "give them different folders, or one folder that has both";
            report.add("conflict", Some(&entry.at.at), message, help);
        }
    }
}

/// Reads `scratch`, bytes.
pub(crate) fn scratch(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Option<u64> {
    table.measure(report, "scratch", &SIZE, MIN_SCRATCH..=MAX_SCRATCH)
}

/// Reads `collect`.
pub(crate) fn collect(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<Spot<String>> {
    let all = table.texts(report, "collect");
    if let (Some(value), None) = (table.get("collect"), table.get("scratch")) {
        let message = format!("`{}`: there is no scratch folder", table.path("collect"));
        let help = "give the task one: `scratch = \"64MiB\"`";
        report.add("conflict", Some(&value.span()), message, help);
    }
    if let Some(one_more) = all.get(MAX_COLLECT) {
        let message = format!(
            "`{}` has {} patterns, and may have {MAX_COLLECT}",
            table.path("collect"),
            all.len()
        );
        report.add("too-large", Some(&one_more.at), message, "");
    }
    for pattern in all.iter().filter(|pattern| !is_pattern(&pattern.value)) {
        let message = format!("\"{}\" is no pattern of files", clip(&pattern.value));
        let help =
            "write a path in the scratch folder with *, ? and ** for folders: \"out/**/*.html\"";
        report.add("bad-value", Some(&pattern.at), message, help);
    }
    all
}

/// Reports the files of a driver: its runs share their process.
pub(crate) fn of_driver(report: &mut Report<'_>, table: &Fields<'_, '_>) {
    for key in ["files", "scratch", "collect"] {
        if let Some(value) = table.get(key) {
            let message = format!("`{}`: a driver has no files", table.path(key));
            let help = "give them to the tasks that it starts";
            report.add("conflict", Some(&value.span()), message, help);
        }
    }
}
