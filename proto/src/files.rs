//! The files of a task: what it reads of its definition's, and where it may write. An
//! attempt that has any runs in a process and a file system of its own.

use crate::input::BlobRef;
use crate::limits::{MAX_FILE_DEPTH, MAX_FILE_NAME, MAX_FILE_PATH};
use serde::{Deserialize, Serialize};

/// The files of a node's tasks.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Files {
    /// What they read; sorted by path, none below another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<InputFiles>,
    /// Bytes of the folder that each attempt may write; none when it may write nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<u64>,
    /// [Patterns](crate::pattern) of files in that folder that become outputs when the
    /// attempt succeeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collect: Vec<String>,
}

/// A file or a folder that appears read-only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InputFiles {
    /// Where, such as `/data`.
    pub at: String,
    /// What.
    pub content: InputContent,
}

/// What appears at a path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputContent {
    /// A file.
    File(BlobRef),
    /// A folder with these files, by their paths in it; each once.
    Folder(Vec<(String, BlobRef)>),
}

impl Files {
    /// The bytes of scratch that a worker has to offer for it: one that offers none has no
    /// files at all.
    pub fn room(&self) -> u64 {
        self.scratch.unwrap_or(1)
    }

    /// All content that it names.
    pub fn blobs(&self) -> impl Iterator<Item = &BlobRef> {
        self.inputs.iter().flat_map(|input| {
            let (file, folder): (_, &[(String, BlobRef)]) = match &input.content {
                InputContent::File(blob) => (Some(blob), &[]),
                InputContent::Folder(files) => (None, files),
            };
            file.into_iter().chain(folder.iter().map(|(_, blob)| blob))
        })
    }

    /// How many files a task reads.
    pub fn count(&self) -> usize {
        self.blobs().count()
    }
}

/// Whether a text is a path that leads from a folder into it, and nowhere else.
pub fn is_inside(path: &str) -> bool {
    path.len() <= MAX_FILE_PATH
        && path.split('/').count() <= MAX_FILE_DEPTH
        && path.split('/').all(is_file_name)
}

fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= MAX_FILE_NAME && !name.contains('\0')
}

/// Where a guest's path leads from the root of its files; none when it is not absolute and
/// plain, or the root itself.
pub fn below_root(path: &str) -> Option<&str> {
    path.strip_prefix('/').filter(|path| is_inside(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_inside() {
        let check = |path: &str, want: Option<&str>| assert_eq!(below_root(path), want, "{path:?}");
        check("/data", Some("data"));
        check("/a/b c/ü.txt", Some("a/b c/ü.txt"));
        check("/..a/b..", Some("..a/b.."));
        for bad in [
            "", "/", "data", "/data/", "//data", "/a//b", "/../b", "/a/..", "/a/./b", "/a\0b",
        ] {
            check(bad, None);
        }
        check(&format!("/{}", "a".repeat(MAX_FILE_NAME + 1)), None);
        check(&"/a".repeat(MAX_FILE_DEPTH + 1), None);
        assert!(below_root(&"/a".repeat(MAX_FILE_DEPTH)).is_some());
    }
}
