//! What a task asks to reach outside its sandbox: read from its table, and held against
//! what the operator allows. What workers offer is seen where they are known.

use crate::catalogue::ModuleFacts;
use crate::definition::{Node, Spot};
use crate::module::WASI_HTTP;
use crate::plan::Planner;
use crate::read::{Fields, clip};
use crate::report::Report;
use crate::values::is_name;
use std::collections::BTreeSet;
use std::ops::Range;
use wasmhost_proto::api::GrantView;
use wasmhost_proto::grants::{GrantKind, Grants};
use wasmhost_proto::limits::{MAX_NODE_SECRETS, MAX_PROGRAMS, MAX_REACHES, MAX_SUBMITS};
use wasmhost_proto::reach::Reach;

/// Reads `programs`.
pub(crate) fn programs(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<Spot<String>> {
    let all = texts(report, table, GrantKind::Program, MAX_PROGRAMS);
    for name in all.iter().filter(|name| !is_name(&name.value)) {
        let message = format!("\"{}\" names no program", clip(&name.value));
        let help = "write the name that workers' settings give it: letters, digits and . _ -";
        report.add("bad-value", Some(&name.at), message, help);
    }
    all
}

/// Reads `network`.
pub(crate) fn network(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<Spot<Reach>> {
    let all = texts(report, table, GrantKind::Network, MAX_REACHES);
    let mut reaches = Vec::new();
    for Spot { value, at } in all {
        match value.parse() {
            Ok(value) => reaches.push(Spot { value, at }),
            Err(why) => {
                let message = format!("\"{}\" asks for no requests: {why}", clip(&value));
                let help = "write methods, then where to: \"GET,POST https://api.example.com\"";
                report.add("bad-value", Some(&at), message, help);
            }
        }
    }
    reaches
}

/// Reads `secrets`.
pub(crate) fn secrets(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<Spot<String>> {
    let all = texts(report, table, GrantKind::Secret, MAX_NODE_SECRETS);
    let fits = |name: &str| is_name(name) && !name.contains('.');
    for name in all.iter().filter(|name| !fits(&name.value)) {
        let message = format!("\"{}\" names no secret", clip(&name.value));
        let help = "write the name that `wasmhost secret set` gave it";
        report.add("bad-value", Some(&name.at), message, help);
    }
    all
}

/// Reads `submits`.
pub(crate) fn submits(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<Spot<String>> {
    let all = texts(report, table, GrantKind::Submit, MAX_SUBMITS);
    for name in all.iter().filter(|name| !is_name(&name.value)) {
        let message = format!("\"{}\" names no stored definition", clip(&name.value));
        let help = "write the name that it was stored under, without a version";
        report.add("bad-value", Some(&name.at), message, help);
    }
    all
}

fn texts(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    kind: GrantKind,
    max: usize,
) -> Vec<Spot<String>> {
    let key = kind.key();
    let all = table.texts(report, key);
    if let Some(one_more) = all.get(max) {
        let message = format!(
            "`{}` has {} entries, and may have {max}",
            table.path(key),
            all.len()
        );
        report.add("too-large", Some(&one_more.at), message, "");
    }
    all
}

/// Values without their places, sorted.
fn each_once<T: Ord + Clone>(spots: &[Spot<T>]) -> Vec<T> {
    let values: BTreeSet<&T> = spots.iter().map(|spot| &spot.value).collect();
    values.into_iter().cloned().collect()
}

/// Everything that a task asks for, as text, and where.
fn asked(node: &Node) -> impl Iterator<Item = (GrantKind, String, &Range<usize>)> {
    let programs = node.programs.iter();
    let programs = programs.map(|name| (GrantKind::Program, name.value.clone(), &name.at));
    let network = node.network.iter();
    let network = network.map(|r| (GrantKind::Network, r.value.to_string(), &r.at));
    let secrets = node.secrets.iter();
    let secrets = secrets.map(|name| (GrantKind::Secret, name.value.clone(), &name.at));
    let submits = node.submits.iter();
    let submits = submits.map(|name| (GrantKind::Submit, name.value.clone(), &name.at));
    programs.chain(network).chain(secrets).chain(submits)
}

impl Planner<'_> {
    /// What a task is granted, where a worker offers it. What the operator does not allow
    /// is a mistake.
    pub(crate) fn grants(&mut self, node: &Node) -> Option<Box<Grants>> {
        for (kind, value, at) in asked(node) {
            if !self.allows(kind, &value) {
                let (name_of, key) = (&node.name, kind.key());
                let message = format!(
                    "'{name_of}' asks for the {kind} '{value}', which the operator does not allow"
                );
                let help = format!(
                    "the ceiling is in the primary's settings: `[primary.allow]`, \
                     `{key} = [\"{value}\"]`"
                );
                self.report.add("not-allowed", Some(at), message, help);
            } else if kind == GrantKind::Secret && !self.keeps(&value) {
                let message = format!(
                    "'{}' asks for the secret '{value}', and none of this name is kept",
                    node.name
                );
                let help = format!("keep one: `wasmhost secret set {value}`");
                self.report.add("unknown-secret", Some(at), message, help);
            }
        }
        let grants = Grants {
            programs: each_once(&node.programs),
            network: each_once(&node.network),
            secrets: each_once(&node.secrets),
            submits: each_once(&node.submits),
        };
        (!grants.is_empty()).then(|| Box::new(grants))
    }

    /// A module that sends requests belongs to a task that asks for some.
    pub(crate) fn sends_what_it_asks(&mut self, node: &Node, module: ModuleFacts) {
        let imports = self
            .catalogue
            .map(|catalogue| catalogue.imports(module.digest));
        let sends = |import: &String| import.starts_with(WASI_HTTP);
        if node.network.is_empty() && imports.is_some_and(|all| all.iter().any(sends)) {
            let message = format!(
                "the module of '{}' sends requests (`wasi:http`), and the task asks for none",
                node.name
            );
            let help = "say which: `network = [\"GET https://api.example.com\"]`";
            self.report
                .add("not-granted", Some(&node.source.at), message, help);
        }
    }

    /// The same, to be looked at.
    pub(crate) fn grant_views(&self, node: &Node) -> Vec<GrantView> {
        let views = asked(node).map(|(kind, name, _)| GrantView {
            kind: kind.to_string(),
            allowed: self.allows(kind, &name),
            // Which workers offer it is told where they are known.
            offered_by: match kind {
                GrantKind::Secret if self.keeps(&name) => vec!["the primary".into()],
                GrantKind::Submit => vec!["the primary".into()],
                _ => Vec::new(),
            },
            name,
        });
        views.collect()
    }

    fn keeps(&self, secret: &str) -> bool {
        self.catalogue
            .is_none_or(|catalogue| catalogue.has_secret(secret))
    }

    /// Where nobody knows what is allowed, everything is.
    fn allows(&self, kind: GrantKind, name: &str) -> bool {
        let ceiling = self.catalogue.and_then(|catalogue| catalogue.ceiling());
        ceiling.is_none_or(|ceiling| ceiling.allows(kind, name))
    }
}
