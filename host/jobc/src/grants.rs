//! What a task asks to reach outside its sandbox: read from its table, and held against
//! what the operator allows. What workers offer is seen where they are known.

use crate::definition::{Node, Spot};
use crate::plan::Planner;
use crate::read::{Fields, clip};
use crate::report::Report;
use crate::values::is_name;
use wasmhost_proto::api::GrantView;
use wasmhost_proto::grants::{GrantKind, Grants};
use wasmhost_proto::limits::MAX_PROGRAMS;

/// Reads `programs`.
pub(crate) fn programs(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<Spot<String>> {
    let all = table.texts(report, "programs");
    if let Some(one_more) = all.get(MAX_PROGRAMS) {
        let message = format!(
            "`{}` names {} programs, and may name {MAX_PROGRAMS}",
            table.path("programs"),
            all.len()
        );
        report.add("too-large", Some(&one_more.at), message, "");
    }
    for name in all.iter().filter(|name| !is_name(&name.value)) {
        let message = format!("\"{}\" names no program", clip(&name.value));
        let help = "write the name that workers' settings give it: letters, digits and . _ -";
        report.add("bad-value", Some(&name.at), message, help);
    }
    all
}

/// Everything that a task asks for, and where.
fn asked(node: &Node) -> impl Iterator<Item = (GrantKind, &Spot<String>)> {
    let programs = node.programs.iter();
    programs.map(|name| (GrantKind::Program, name))
}

impl Planner<'_> {
    /// What a task is granted, where a worker offers it. What the operator does not allow
    /// is a mistake.
    pub(crate) fn grants(&mut self, node: &Node) -> Option<Box<Grants>> {
        let mut grants = Grants::default();
        for (kind, name) in asked(node) {
            if !self.allows(kind, &name.value) {
                let (name_of, key, value) = (&node.name, kind.key(), &name.value);
                let message = format!(
                    "'{name_of}' asks for the {kind} '{value}', which the operator does not allow"
                );
                let help = format!(
                    "the ceiling is in the primary's settings: `[primary.allow]`, \
                     `{key} = [\"{value}\"]`"
                );
                self.report
                    .add("not-allowed", Some(&name.at), message, help);
            }
            match kind {
                GrantKind::Program => grants.programs.push(name.value.clone()),
            }
        }
        grants.programs.sort_unstable();
        grants.programs.dedup();
        (!grants.is_empty()).then(|| Box::new(grants))
    }

    /// The same, to be looked at.
    pub(crate) fn grant_views(&self, node: &Node) -> Vec<GrantView> {
        let views = asked(node).map(|(kind, name)| GrantView {
            kind: kind.to_string(),
            name: name.value.clone(),
            allowed: self.allows(kind, &name.value),
            offered_by: Vec::new(),
        });
        views.collect()
    }

    /// Where nobody knows what is allowed, everything is.
    fn allows(&self, kind: GrantKind, name: &str) -> bool {
        let ceiling = self.catalogue.and_then(|catalogue| catalogue.ceiling());
        ceiling.is_none_or(|ceiling| ceiling.allows(kind, name))
    }
}
