//! What a task may reach outside its sandbox: what its definition asks for, what the
//! operator's ceiling allows and what a worker offers. All three have to agree; each kind
//! of thing that can be granted is a field here.

use crate::data::publishes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is asked for or offered, by name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Grants {
    /// Programs of the worker's machine; sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
}

/// What an operator lets definitions ask for: names, or the start of some and `*`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Ceiling {
    /// Programs.
    pub programs: Vec<String>,
}

/// The kinds of what can be granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrantKind {
    /// A program of the worker's machine.
    Program,
}

impl GrantKind {
    /// Its key in definitions and settings.
    pub fn key(self) -> &'static str {
        match self {
            GrantKind::Program => "programs",
        }
    }
}

impl fmt::Display for GrantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GrantKind::Program => "program",
        })
    }
}

impl Grants {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty()
    }

    /// Everything in it, kind by kind.
    pub fn each(&self) -> impl Iterator<Item = (GrantKind, &str)> {
        let programs = self.programs.iter();
        programs.map(|name| (GrantKind::Program, name.as_str()))
    }

    /// Whether something is in it.
    pub fn has(&self, kind: GrantKind, name: &str) -> bool {
        match kind {
            GrantKind::Program => self.programs.iter().any(|known| known == name),
        }
    }

    /// The first thing that these do not have, of what is asked for.
    pub fn lack<'a>(&self, asked: &'a Grants) -> Option<(GrantKind, &'a str)> {
        asked.each().find(|(kind, name)| !self.has(*kind, name))
    }

    /// Adds what others have.
    pub fn add(&mut self, others: &Grants) {
        for (kind, name) in others.each() {
            if !self.has(kind, name) {
                match kind {
                    GrantKind::Program => self.programs.push(name.to_owned()),
                }
            }
        }
    }
}

impl Ceiling {
    /// Whether it lets definitions ask for something.
    pub fn allows(&self, kind: GrantKind, name: &str) -> bool {
        match kind {
            GrantKind::Program => publishes(&self.programs, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(names: &[&str]) -> Grants {
        Grants {
            programs: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_lacking() {
        let check = |offered: &[&str], asked: &[&str], want: Option<&str>| {
            let asked = programs(asked);
            let lack = programs(offered).lack(&asked).map(|(_, name)| name);
            assert_eq!(lack, want, "{offered:?} for {asked:?}");
        };
        check(&[], &[], None);
        check(&[], &["gzip"], Some("gzip"));
        check(&["gzip"], &["gzip"], None);
        check(&["gzip"], &["gzip", "sort"], Some("sort"));
        check(&["gzip", "sort"], &["sort"], None);
        let mut all = programs(&["gzip"]);
        all.add(&programs(&["sort", "gzip"]));
        assert_eq!(all, programs(&["gzip", "sort"]));
    }

    #[test]
    fn ceilings_are_patterns() {
        let ceiling = Ceiling {
            programs: vec!["gzip".into(), "text-*".into()],
        };
        for (name, want) in [("gzip", true), ("gzip2", false), ("text-sort", true)] {
            assert_eq!(ceiling.allows(GrantKind::Program, name), want, "{name}");
        }
        assert!(!Ceiling::default().allows(GrantKind::Program, "gzip"));
    }
}
