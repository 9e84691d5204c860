//! What a word on the command line means: a file with a definition, or a stored one.

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Fault};
use std::fmt;
use std::path::{Path, PathBuf};
use wasmhost_proto::api::StoredName;

/// A definition, by where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// A file; `-` is standard input.
    File(PathBuf),
    /// One that the primary keeps.
    Stored(StoredName),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::File(path) => path.display().fmt(f),
            Target::Stored(name) => name.fmt(f),
        }
    }
}

impl Target {
    /// A file if it looks like one or is there, else a stored definition. Says so when
    /// it could be both.
    pub(crate) fn of(text: &str, cx: &Context) -> Result<Target, Fault> {
        let there = Path::new(text).is_file();
        if there && !looks_like_file(text) && text.parse::<StoredName>().is_ok() {
            cx.out.talk(format!(
                "'{text}' is a file here, and taken for that: ./{text}; \
                 a stored definition is meant by {text}@VERSION"
            ));
        }
        Target::read(text, there)
    }

    fn read(text: &str, there: bool) -> Result<Target, Fault> {
        if there || looks_like_file(text) {
            return Ok(Target::File(text.into()));
        }
        text.parse().map(Target::Stored).map_err(|error| {
            let title = format!("'{text}' is neither a file nor a stored definition");
            Fault::new(Exit::USAGE, "usage", title).help(format!("{error}"))
        })
    }
}

fn looks_like_file(text: &str) -> bool {
    text == "-" || text.contains(std::path::MAIN_SEPARATOR) || text.ends_with(".toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_stored_definitions() {
        let check = |text: &str, there: bool, want: &str| {
            let got = match Target::read(text, there) {
                Ok(Target::File(_)) => "file",
                Ok(Target::Stored(_)) => "stored",
                Err(_) => "neither",
            };
            assert_eq!(got, want, "{text} {there}");
        };
        for (text, there, gone) in [
            ("-", "file", "file"),
            ("job.toml", "file", "file"),
            ("dir/job", "file", "file"),
            ("./job", "file", "file"),
            ("job", "file", "stored"),
            ("job@3", "file", "stored"),
            ("job@x", "file", "neither"),
            ("", "file", "neither"),
        ] {
            check(text, true, there);
            check(text, false, gone);
        }
    }
}
