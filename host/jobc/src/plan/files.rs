//! The files of a task, put in their places: what the client has uploaded.

use super::Planner;
use crate::definition::{Node, Spot};
use crate::files::{FileEntry, FileSource, folder_file, folder_key};
use crate::read::clip;
use std::collections::BTreeSet;
use std::ops::Range;
use wasmhost_proto::api::FileView;
use wasmhost_proto::files::{Files, InputContent, InputFiles, is_inside};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{MAX_FILES, MAX_FILES_TEXT};

impl Planner<'_> {
    /// What the task reads and whether it writes; outer none when it cannot be told.
    pub(super) fn files_of(&mut self, node: &Node) -> Option<Option<Box<Files>>> {
        if node.files.is_empty() && node.scratch.is_none() {
            return Some(None);
        }
        let mut inputs = Vec::new();
        for FileEntry { at, from } in &node.files {
            let content = match &from.value {
                FileSource::Param(name) => self.param_file(name, &from.at)?,
                FileSource::Path(path) => Some(match self.folder(path, &from.at)? {
                    None => InputContent::File(self.file(path, path, &from.at)?),
                    Some(paths) => InputContent::Folder(self.uploaded(path, &paths, &from.at)?),
                }),
            };
            inputs.extend(content.map(|content| InputFiles {
                at: at.value.clone(),
                content,
            }));
        }
        let files = Files {
            inputs,
            scratch: node.scratch,
            collect: node.collect.iter().map(|one| one.value.clone()).collect(),
        };
        self.files_fit(node, files.count())?;
        Some(Some(Box::new(files)))
    }

    /// The same, to be looked at before anything is uploaded.
    pub(super) fn file_views(&mut self, node: &Node) -> Vec<FileView> {
        let mut all = 0;
        let mut views = Vec::new();
        for FileEntry { at, from } in &node.files {
            let (path, count) = match &from.value {
                FileSource::Param(name) => (format!("${{params.{name}}}"), None),
                FileSource::Path(path) => {
                    let folder = self.folder(path, &from.at).flatten();
                    (path.clone(), folder.map(|paths| paths.len() as u32))
                }
            };
            all += count.map_or(1, |count| count as usize);
            views.push(FileView {
                at: at.value.clone(),
                from: path,
                files: count,
            });
        }
        self.files_fit(node, all);
        views
    }

    /// The file of a parameter; inner none when its value is open.
    fn param_file(&mut self, name: &str, at: &Range<usize>) -> Option<Option<InputContent>> {
        let Some(value) = self.values.get(name) else {
            return Some(None);
        };
        let Some(path) = value.json.as_str().map(str::to_owned) else {
            let message = format!("the parameter `{name}` names no file");
            self.report
                .add("missing-file", Some(at), message, "give it a value");
            return None;
        };
        let blob = self.file(&format!("param:{name}"), &path, at)?;
        Some(Some(InputContent::File(blob)))
    }

    /// The paths of a folder's files, sorted; inner none for what is no folder.
    fn folder(&mut self, path: &str, at: &Range<usize>) -> Option<Option<Vec<String>>> {
        let Some(paths) = self.request.lists.get(&folder_key(path)) else {
            return Some(None);
        };
        let sorted: BTreeSet<&String> = paths.iter().collect();
        let below = |path: &&&String| {
            let ends = path.match_indices('/').map(|(end, _)| end);
            ends.map(|end| path[..end].to_owned())
                .any(|above| sorted.contains(&above))
        };
        let odd = paths.iter().find(|path| !is_inside(path));
        let odd = odd.or(sorted.iter().find(below).copied());
        if let Some(odd) = odd {
            let message = format!(
                "\"{}\" cannot be a file of the folder \"{}\"",
                clip(odd),
                clip(path)
            );
            self.report.add("bad-value", Some(at), message, "");
            return None;
        }
        Some(Some(sorted.into_iter().cloned().collect()))
    }

    fn uploaded(
        &mut self,
        folder: &str,
        paths: &[String],
        at: &Range<usize>,
    ) -> Option<Vec<(String, BlobRef)>> {
        let files = paths.iter().map(|path| {
            let key = folder_file(folder, path);
            Some((path.clone(), self.file(&key, &key, at)?))
        });
        // Every one that is missing is told.
        files.collect::<Vec<_>>().into_iter().collect()
    }

    /// Whether all files of a task can be named in what a worker is told of it.
    fn files_fit(&mut self, node: &Node, count: usize) -> Option<()> {
        let folders = node
            .files
            .iter()
            .filter_map(|entry| match &entry.from.value {
                FileSource::Path(path) => self.request.lists.get(&folder_key(path)),
                FileSource::Param(_) => None,
            });
        let text: usize = folders.flatten().map(String::len).sum();
        if count <= MAX_FILES && text <= MAX_FILES_TEXT {
            return Some(());
        }
        let message = format!(
            "'{}' has {count} files with {text} bytes of paths, and may have {MAX_FILES} with {MAX_FILES_TEXT}",
            node.name
        );
        let at = node.files.first().map(
            |FileEntry {
                 from: Spot { at, .. },
                 ..
             }| at,
        );
        let help = "pack them into an archive, and let the task unpack it into its scratch folder";
        self.report.add("too-large", at, message, help);
        None
    }
}
