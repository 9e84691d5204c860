//! Files that an attempt leaves in its scratch folder and that become outputs when it has
//! succeeded. Looks at the folder alone: not through links, nor at what is mounted in it.

use crate::board::Halt;
use crate::state::State;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use wasmhost_proto::limits::{MAX_FILE_DEPTH, MAX_OUTPUT_BYTES, MAX_OUTPUT_PART, MAX_OUTPUTS};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::pattern::fits;

/// A file that fits.
struct Found {
    /// Its path in the folder.
    path: String,
    len: u64,
}

impl State {
    /// Makes outputs of the files that fit the attempt's patterns.
    pub(crate) async fn collect(&mut self) -> Result<(), Halt> {
        let Some(root) = self.attempt.root.as_ref().map(|root| root.path.clone()) else {
            return Ok(());
        };
        let patterns = std::mem::take(&mut self.attempt.collect);
        let found = find(&root, &patterns).map_err(|error| unread(&error))?;
        for pattern in &patterns {
            if !found.iter().any(|file| fits(pattern, &file.path)) {
                self.board
                    .log_line("warn", &format!("no file fits `{pattern}` of `collect`"))?;
            }
        }
        let bytes: u64 = found.iter().map(|file| file.len).sum();
        if found.len() > MAX_OUTPUTS || bytes > MAX_OUTPUT_BYTES {
            let message = format!(
                "{} files with {bytes} bytes fit `collect`, over the limit of {MAX_OUTPUTS} with {MAX_OUTPUT_BYTES}",
                found.len()
            );
            return Err(Halt::new(FailureKind::OutputLimit, message));
        }
        for file in found {
            let sent = self.send_file(&root, &file.path).await;
            sent.map_err(|why| {
                let message = format!("'{}' could not be collected: {why}", file.path);
                Halt::new(FailureKind::HostFault, message)
            })?;
        }
        Ok(())
    }

    async fn send_file(&mut self, root: &Path, path: &str) -> Result<(), String> {
        let mut file = File::open(root.join(path)).map_err(|error| error.to_string())?;
        let name = path.replace('/', "_");
        let output = self.create_output(name, content_type(path).into()).await?;
        let mut piece = vec![0; MAX_OUTPUT_PART];
        loop {
            match file.read(&mut piece).map_err(|error| error.to_string())? {
                0 => return self.close_output(output).await,
                len => self.write_output(output, &piece[..len]).await?,
            }
        }
    }
}

fn unread(error: &io::Error) -> Halt {
    let message = format!("the scratch folder cannot be looked through: {error}");
    Halt::new(FailureKind::HostFault, message)
}

/// The files that fit, in the order of their paths.
fn find(root: &Path, patterns: &[String]) -> io::Result<Vec<Found>> {
    let device = fs::metadata(root)?.dev();
    let mut found = Vec::new();
    let mut folders = vec![(PathBuf::new(), 1)];
    while let Some((inside, depth)) = folders.pop() {
        for entry in fs::read_dir(root.join(&inside))? {
            let entry = entry?;
            let about = entry.metadata()?;
            let path = inside.join(entry.file_name());
            if about.dev() != device {
                continue;
            }
            if about.is_dir() && depth < MAX_FILE_DEPTH {
                folders.push((path, depth + 1));
            } else if about.is_file()
                && let Some(path) = path.to_str()
                && patterns.iter().any(|pattern| fits(pattern, path))
            {
                found.push(Found {
                    path: path.to_owned(),
                    len: about.len(),
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// What browsers and people make of it, by its ending.
fn content_type(path: &str) -> &'static str {
    const TYPES: [(&str, &str); 16] = [
        ("html", "text/html"),
        ("txt", "text/plain; charset=utf-8"),
        ("log", "text/plain; charset=utf-8"),
        ("md", "text/markdown; charset=utf-8"),
        ("css", "text/css"),
        ("csv", "text/csv"),
        ("js", "text/javascript"),
        ("json", "application/json"),
        ("xml", "application/xml"),
        ("pdf", "application/pdf"),
        ("png", "image/png"),
        ("jpg", "image/jpeg"),
        ("svg", "image/svg+xml"),
        ("zip", "application/zip"),
        ("gz", "application/gzip"),
        ("wasm", "application/wasm"),
    ];
    let ending = Path::new(path)
        .extension()
        .and_then(|ending| ending.to_str());
    let known = TYPES.iter().find(|(known, _)| Some(*known) == ending);
    known.map_or("application/octet-stream", |(_, of)| of)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_found_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside.html"));
        fs::create_dir_all(root.join("out/deep")).unwrap();
        fs::write(&outside, "outside").unwrap();
        for path in ["b.html", "a.html", "out/deep/c.html", "d.txt", ".e.html"] {
            fs::write(root.join(path), path).unwrap();
        }
        std::os::unix::fs::symlink(&outside, root.join("link.html")).unwrap();
        std::os::unix::fs::symlink(dir.path(), root.join("up")).unwrap();
        let check = |patterns: &[&str], want: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
            let found = find(&root, &patterns).unwrap();
            let found: Vec<&str> = found.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(found, want, "{patterns:?}");
        };
        check(&["*.html"], &["a.html", "b.html"]);
        check(&["**/*.html"], &["a.html", "b.html", "out/deep/c.html"]);
        check(&["*.txt", "d.*"], &["d.txt"]);
        check(&["*.png"], &[]);
        assert_eq!(content_type("a/b.html"), "text/html");
        assert_eq!(content_type("a/b.HTML"), "application/octet-stream");
    }
}
