//! The files and folders that tasks read: found on this machine and uploaded, each file
//! under its own path, so that the primary knows what is where.

use super::files::Files;
use crate::cli::exit::{Exit, Fault};
use crate::client::ClientError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wasmhost_jobc::{Definition, folder_file, folder_key};
use wasmhost_proto::limits::{MAX_FILE_DEPTH, MAX_FILES};

/// Lists of the files in folders, by the names that a submission gives them.
type Lists = BTreeMap<String, Vec<String>>;

/// What the folders hold that a definition names; what is missing is a mistake.
pub(super) fn look(base: &Path, parsed: &Definition) -> anyhow::Result<Lists> {
    let folders = parsed.placed().into_iter().map(|from| {
        let files = find(&base.join(from))?;
        Ok(files.map(|files| (folder_key(from), files)))
    });
    folders.filter_map(anyhow::Result::transpose).collect()
}

/// The same, and uploads all of it.
pub(super) async fn upload(
    base: &Path,
    parsed: &Definition,
    files: &mut Files<'_>,
) -> anyhow::Result<Lists> {
    let lists = look(base, parsed)?;
    let mut all = Vec::new();
    for from in parsed.placed() {
        let path = base.join(from);
        match lists.get(&folder_key(from)) {
            None => all.push((from.to_owned(), vec![path])),
            Some(list) => all.extend(
                list.iter()
                    .map(|file| (folder_file(from, file), vec![path.join(file)])),
            ),
        }
    }
    files.add_all(all).await?;
    Ok(lists)
}

/// The files of a folder by their paths in it, sorted; none when it is a file. Links are
/// followed.
fn find(path: &Path) -> anyhow::Result<Option<Vec<String>>> {
    let failed = |path: &Path| {
        let what = format!("cannot read {}", path.display());
        move |error| ClientError::File { what, error }
    };
    if !std::fs::metadata(path).map_err(failed(path))?.is_dir() {
        return Ok(None);
    }
    let mut found = Vec::new();
    let mut folders: Vec<(PathBuf, usize)> = vec![(PathBuf::new(), 1)];
    while let Some((inside, depth)) = folders.pop() {
        let folder = path.join(&inside);
        for entry in std::fs::read_dir(&folder).map_err(failed(&folder))? {
            let name = entry.map_err(failed(&folder))?.file_name();
            let (inside, entry) = (inside.join(&name), folder.join(&name));
            let kind = std::fs::metadata(&entry).map_err(failed(&entry))?;
            let text = inside.to_str().map(str::to_owned);
            match (kind.is_dir(), kind.is_file(), text) {
                (true, ..) if depth < MAX_FILE_DEPTH => folders.push((inside, depth + 1)),
                (_, true, Some(text)) => found.push(text),
                (true, ..) => return Err(refused(path, "goes too deep")),
                (_, true, None) => return Err(refused(path, "has a name that is not UTF-8")),
                // Sockets and the like hold nothing that could be read elsewhere.
                (false, false, _) => {}
            }
            if found.len() > MAX_FILES || folders.len() > MAX_FILES {
                let why = format!("has more than {MAX_FILES} files or folders");
                return Err(refused(path, &why));
            }
        }
    }
    found.sort_unstable();
    Ok(Some(found))
}

fn refused(path: &Path, why: &str) -> anyhow::Error {
    let title = format!("the folder {} {why}", path.display());
    Fault::new(Exit::REFUSED, "bad_folder", title)
        .help("pack it into an archive, and let the task unpack it into its scratch folder")
        .into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_listed_whole() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path();
        std::fs::create_dir_all(base.join("notes/deep")).unwrap();
        for path in ["notes/b.md", "notes/a.md", "notes/deep/c.md", "alone"] {
            std::fs::write(base.join(path), path).unwrap();
        }
        std::os::unix::fs::symlink(base.join("alone"), base.join("notes/link")).unwrap();
        let check = |path: &str, want: Option<&[&str]>| {
            let found = find(&base.join(path)).unwrap();
            let found = found
                .as_ref()
                .map(|found| found.iter().map(String::as_str).collect());
            assert_eq!(found, want.map(<[&str]>::to_vec), "{path}");
        };
        check("alone", None);
        check("notes", Some(&["a.md", "b.md", "deep/c.md", "link"]));
        check("notes/", Some(&["a.md", "b.md", "deep/c.md", "link"]));
        assert!(find(&base.join("missing")).is_err());
        // A circle ends.
        std::os::unix::fs::symlink(base.join("notes"), base.join("notes/round")).unwrap();
        let error = find(&base.join("notes")).unwrap_err().to_string();
        assert!(error.contains("goes too deep"), "{error}");
    }
}
