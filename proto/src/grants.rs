//! What a task may reach outside its sandbox: what its definition asks for, what the
//! operator's ceiling allows and what a worker offers. All three have to agree; each kind
//! of thing that can be granted is a field here.

use crate::data::publishes;
use crate::reach::Reach;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// What is asked for or offered, by name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Grants {
    /// Programs of the worker's machine; sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
    /// Requests over the network; sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub network: Vec<Reach>,
    /// Secrets of the operator's, which every worker is told that needs them; sorted, each
    /// once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Stored definitions of which it submits jobs; sorted, each once. No worker offers
    /// them: the primary itself makes the jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub submits: Vec<String>,
}

/// What an operator lets definitions ask for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Ceiling {
    /// Programs: names, or the start of some and `*`.
    pub programs: Vec<String>,
    /// Requests over the network.
    pub network: Vec<Reach>,
    /// Secrets, as programs.
    pub secrets: Vec<String>,
    /// Stored definitions: names, or the start of some and `*`.
    pub submits: Vec<String>,
}

/// The kinds of what can be granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrantKind {
    /// A program of the worker's machine.
    Program,
    /// Requests over the network.
    Network,
    /// A secret of the operator's.
    Secret,
    /// Jobs of a stored definition.
    Submit,
}

impl GrantKind {
    /// All of them.
    pub const ALL: [GrantKind; 4] = [
        GrantKind::Program,
        GrantKind::Network,
        GrantKind::Secret,
        GrantKind::Submit,
    ];

    /// Whether a worker has to offer it.
    pub fn is_offered(self) -> bool {
        matches!(self, GrantKind::Program | GrantKind::Network)
    }

    /// Its key in definitions and settings.
    pub fn key(self) -> &'static str {
        match self {
            GrantKind::Program => "programs",
            GrantKind::Network => "network",
            GrantKind::Secret => "secrets",
            GrantKind::Submit => "submits",
        }
    }

    /// What a worker's settings have where it offers something.
    pub fn offer(self, name: &str) -> String {
        match self {
            GrantKind::Program => format!("`[worker.programs.{name}]`"),
            GrantKind::Network => format!("`[worker]`, `network = [\"{name}\"]`"),
            GrantKind::Secret => "anything: secrets need no offer".into(),
            GrantKind::Submit => "anything: jobs need no offer".into(),
        }
    }
}

impl fmt::Display for GrantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GrantKind::Program => "program",
            GrantKind::Network => "network access",
            GrantKind::Secret => "secret",
            GrantKind::Submit => "submission",
        })
    }
}

impl Grants {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.each().next().is_none()
    }

    /// Everything in it, kind by kind.
    pub fn each(&self) -> impl Iterator<Item = (GrantKind, Cow<'_, str>)> {
        let programs = self.programs.iter();
        let programs = programs.map(|name| (GrantKind::Program, Cow::Borrowed(name.as_str())));
        let network = self.network.iter();
        let network = network.map(|r| (GrantKind::Network, Cow::Owned(r.to_string())));
        let secrets = self.secrets.iter();
        let secrets = secrets.map(|name| (GrantKind::Secret, Cow::Borrowed(name.as_str())));
        let submits = self.submits.iter();
        let submits = submits.map(|name| (GrantKind::Submit, Cow::Borrowed(name.as_str())));
        programs.chain(network).chain(secrets).chain(submits)
    }

    /// Whether something is in it.
    pub fn has(&self, kind: GrantKind, name: &str) -> bool {
        match kind {
            GrantKind::Program => self.programs.iter().any(|known| known == name),
            GrantKind::Network => name.parse().is_ok_and(|reach| self.reaches(&reach)),
            GrantKind::Secret => self.secrets.iter().any(|known| known == name),
            GrantKind::Submit => self.submits.iter().any(|known| known == name),
        }
    }

    fn reaches(&self, asked: &Reach) -> bool {
        self.network.iter().any(|known| known.covers(asked))
    }

    /// The first thing that these do not have, of what is asked for and workers offer.
    pub fn lack(&self, asked: &Grants) -> Option<(GrantKind, String)> {
        let mut programs = asked.programs.iter();
        if let Some(name) = programs.find(|name| !self.has(GrantKind::Program, name)) {
            return Some((GrantKind::Program, name.clone()));
        }
        let reach = asked.network.iter().find(|reach| !self.reaches(reach));
        reach.map(|reach| (GrantKind::Network, reach.to_string()))
    }

    /// Adds what others have.
    pub fn add(&mut self, others: &Grants) {
        for name in &others.programs {
            if !self.has(GrantKind::Program, name) {
                self.programs.push(name.clone());
            }
        }
        for reach in &others.network {
            if !self.reaches(reach) {
                self.network.push(reach.clone());
            }
        }
    }
}

impl Ceiling {
    /// Whether it lets definitions ask for something.
    pub fn allows(&self, kind: GrantKind, name: &str) -> bool {
        match kind {
            GrantKind::Program => publishes(&self.programs, name),
            GrantKind::Network => name
                .parse()
                .is_ok_and(|asked| self.network.iter().any(|reach| reach.covers(&asked))),
            GrantKind::Secret => publishes(&self.secrets, name),
            GrantKind::Submit => publishes(&self.submits, name),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn programs(names: &[&str]) -> Grants {
        Grants {
            programs: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Grants::default()
        }
    }

    fn network(reaches: &[&str]) -> Grants {
        let reaches = reaches.iter().map(|text| text.parse());
        Grants {
            network: reaches.collect::<Result<_, _>>().unwrap(),
            ..Grants::default()
        }
    }

    #[test]
    fn what_is_lacking() {
        let check = |offered: &[&str], asked: &[&str], want: Option<&str>| {
            let asked = programs(asked);
            let lack = programs(offered).lack(&asked).map(|(_, name)| name);
            assert_eq!(lack.as_deref(), want, "{offered:?} for {asked:?}");
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
    fn network_is_lacking() {
        let check = |offered: &[&str], asked: &[&str], want: Option<&str>| {
            let lack = network(offered).lack(&network(asked));
            let lack = lack.map(|(kind, name)| {
                assert_eq!(kind, GrantKind::Network);
                name
            });
            assert_eq!(lack.as_deref(), want, "{offered:?} for {asked:?}");
        };
        check(
            &[],
            &["GET https://a.example"],
            Some("GET https://a.example"),
        );
        check(&["* https://*"], &["GET https://a.example"], None);
        check(
            &["* https://*"],
            &["GET https://a.example", "GET http://a.example"],
            Some("GET http://a.example"),
        );
        // What is covered adds nothing.
        let mut all = network(&["* https://*.example"]);
        all.add(&network(&["GET https://a.example", "GET http://a.example"]));
        assert_eq!(
            all,
            network(&["* https://*.example", "GET http://a.example"])
        );
    }

    #[test]
    fn ceilings_are_patterns() {
        let ceiling = Ceiling {
            programs: vec!["gzip".into(), "text-*".into()],
            network: network(&["GET https://*.example"]).network,
            secrets: vec!["api-*".into()],
            submits: vec!["report-*".into()],
        };
        assert!(ceiling.allows(GrantKind::Secret, "api-key"));
        assert!(!ceiling.allows(GrantKind::Secret, "key"));
        for (name, want) in [("gzip", true), ("gzip2", false), ("text-sort", true)] {
            assert_eq!(ceiling.allows(GrantKind::Program, name), want, "{name}");
        }
        for (name, want) in [("report-1", true), ("report", false), ("gzip", false)] {
            assert_eq!(ceiling.allows(GrantKind::Submit, name), want, "{name}");
        }
        for (name, want) in [
            ("GET https://a.example", true),
            ("POST https://a.example", false),
            ("GET https://*.example", true),
            ("GET https://*", false),
            ("gzip", false),
        ] {
            assert_eq!(ceiling.allows(GrantKind::Network, name), want, "{name}");
        }
        assert!(!Ceiling::default().allows(GrantKind::Program, "gzip"));
    }
}
