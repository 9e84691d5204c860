//! What a task can name: the definition's parameters, and other tasks. Every task
//! that is named must end before the one that names it begins.

use crate::definition::Spot;
use crate::params::{Kind, Param};
use crate::read::clip;
use crate::report::Report;
use crate::suggest;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use wasmhost_proto::NodeIndex;

/// The declared parameters.
#[derive(Default)]
pub(crate) struct Params {
    /// Those that could be read.
    pub(crate) list: Vec<Param>,
    /// The names of all others, which are mistakes already.
    pub(crate) broken: BTreeSet<String>,
}

impl Params {
    /// The parameter of a name; an unknown one is reported.
    pub(crate) fn find(
        &self,
        report: &mut Report<'_>,
        name: &str,
        at: &Range<usize>,
    ) -> Option<&Param> {
        let found = self.list.iter().find(|param| param.name == name);
        if found.is_none() && !self.broken.contains(name) && !report.is_full() {
            let known: Vec<&str> = self.list.iter().map(|param| param.name.as_str()).collect();
            let help = match known.is_empty() {
                true => format!("declare it: [params.{}]", clip(name)),
                false => suggest::help(name, &known),
            };
            let message = format!("there is no parameter `{}`", clip(name));
            report.add("unknown-param", Some(at), message, help);
        }
        found
    }

    /// The same, when it is of a kind that fits.
    pub(crate) fn of_kind(
        &self,
        report: &mut Report<'_>,
        name: &str,
        at: &Range<usize>,
        fits: fn(&Kind) -> bool,
        wanted: &str,
    ) -> Option<String> {
        let param = self.find(report, name, at)?;
        if !fits(&param.kind) {
            let message = format!(
                "the parameter `{name}` is a {}, not a {wanted}",
                param.kind.name()
            );
            report.add("unfit-param", Some(at), message, "");
            return None;
        }
        Some(name.to_owned())
    }
}

/// The names of all tasks, in the order of the text.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) order: Vec<String>,
    index: HashMap<String, NodeIndex>,
}

impl Names {
    pub(crate) fn new(order: Vec<String>) -> Names {
        let index = order.iter().zip(0..).map(|(name, i)| (name.clone(), i));
        Names {
            index: index.collect(),
            order,
        }
    }
}

/// A task that another waits for, and where it is named.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Link {
    pub(crate) to: NodeIndex,
    pub(crate) at: Range<usize>,
}

/// What one task can name, and what it has named.
pub(crate) struct Scope<'s> {
    pub(crate) params: &'s Params,
    names: &'s Names,
    pub(crate) links: Vec<Link>,
}

impl<'s> Scope<'s> {
    pub(crate) fn new(params: &'s Params, names: &'s Names) -> Scope<'s> {
        Scope {
            params,
            names,
            links: Vec::new(),
        }
    }

    /// The task of a name, which is waited for from now on; an unknown one is reported.
    pub(crate) fn task(
        &mut self,
        report: &mut Report<'_>,
        name: &Spot<String>,
    ) -> Option<NodeIndex> {
        let found = self.names.index.get(&name.value).copied();
        match found {
            Some(to) => self.links.push(Link {
                to,
                at: name.at.clone(),
            }),
            // The short form names nothing, and has said so.
            None if self.names.order.is_empty() => {}
            // Proposals look at all names: not for mistakes that nobody will see.
            None if report.is_full() => report.more(),
            None => {
                let known: Vec<&str> = self.names.order.iter().map(String::as_str).collect();
                let help = match suggest::nearest(&name.value, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.len() <= 12 => format!("known are {}", suggest::listed(&known)),
                    None => "names are those of the tables [tasks.NAME]".to_owned(),
                };
                let message = format!("there is no task `{}`", clip(&name.value));
                report.add("unknown-task", Some(&name.at), message, help);
            }
        }
        found
    }

    /// Several tasks, each once.
    pub(crate) fn tasks(
        &mut self,
        report: &mut Report<'_>,
        names: &[Spot<String>],
    ) -> Vec<NodeIndex> {
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for name in names {
            if seen.insert(name.value.as_str()) {
                found.extend(self.task(report, name));
            } else {
                let message = format!("`{}` is named twice", clip(&name.value));
                report.add("duplicate-name", Some(&name.at), message, "name it once");
            }
        }
        found
    }
}
