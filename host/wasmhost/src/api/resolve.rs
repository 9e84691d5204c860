//! From what people type to ids: unique prefixes, names, `latest`.
//!
//! Exactly one match is an answer; none is `not_found`, several are
//! `ambiguous_id` with the first candidates.

use super::catalogue::{Catalogue, MIN_PREFIX};
use super::problem::Problem;
use super::state::App;
use std::ops::RangeInclusive;
use wasmhost_core::record::{ModuleRecord, TokenRecord};
use wasmhost_proto::api::{Diagnostic, JobView, WorkerView};
use wasmhost_proto::ids::SHORT_ID_LEN;
use wasmhost_proto::{JobId, NodeIndex};

/// Candidates shown when several match.
const SHOWN: usize = 5;

/// The ids that begin with `prefix`, as numbers; none when no id can.
fn range(prefix: &str) -> Option<RangeInclusive<u64>> {
    let missing = SHORT_ID_LEN
        .checked_sub(prefix.len())
        .filter(|_| !prefix.is_empty())?;
    let end = |fill: &str| {
        format!("{prefix}{}", fill.repeat(missing))
            .parse::<JobId>()
            .ok()
    };
    Some(end("0")?.0..=end("z")?.0)
}

/// Picks the only candidate; the list may be cut after [`SHOWN`] and one.
fn one<T>(
    mut found: Vec<T>,
    what: &str,
    text: &str,
    show: impl Fn(&T) -> String,
) -> Result<T, Problem> {
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Problem::not_found(format!(
            "there is no {what} '{}'",
            clip(text)
        ))),
        _ => {
            let candidate = |t| Diagnostic {
                code: "candidate".into(),
                message: show(t),
                help: None,
                span: None,
                file: None,
            };
            let title = format!("'{}' may mean more than one {what}", clip(text));
            Err(Problem::conflict("ambiguous_id", title)
                .help("Give more characters, or one of the ids listed here.")
                .errors(found.iter().take(SHOWN).map(candidate).collect()))
        }
    }
}

/// What clients send is repeated to them in part only.
fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A job by id, unique prefix, or `latest`.
pub(crate) async fn job(app: &App, text: &str) -> Result<JobId, Problem> {
    if text == "latest" {
        let newest = app.read(|store| store.jobs(None, 1)).await?;
        let newest = newest.first().map(|job| job.id);
        return newest.ok_or_else(|| Problem::not_found("there is no job yet"));
    }
    // Whole ids are most of what is asked for, and mostly of live jobs.
    if let (SHORT_ID_LEN, Ok(id)) = (text.len(), text.parse::<JobId>())
        && (app.ask(move |primary, _| primary.is_live(id)).await?
            || app.peek(|store| store.job(id))?.is_some())
    {
        return Ok(id);
    }
    let found = match range(text) {
        Some(ids) => {
            let (first, last) = (JobId(*ids.start()), JobId(*ids.end()));
            app.read(move |store| store.jobs_between(first, last, SHOWN + 1))
                .await?
        }
        None => Vec::new(),
    };
    one(found, "job", text, JobId::to_string).map_err(|p| p.help_job(text))
}

impl Problem {
    /// Adds how ids of jobs look, when `text` cannot be one.
    fn help_job(self, text: &str) -> Problem {
        if range(text).is_some() {
            return self;
        }
        self.help("A job is ten characters of 0-9 and a-z, a unique prefix of them, or 'latest'.")
    }
}

/// A worker by name, id or unique prefix of an id.
pub(crate) async fn worker(app: &App, text: &str) -> Result<WorkerView, Problem> {
    let all = app.ask(|primary, now| primary.worker_views(now)).await?;
    let ids = range(text);
    let (named, rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|w| w.name == text);
    let found = if named.is_empty() {
        let fits = |w: &WorkerView| ids.as_ref().is_some_and(|ids| ids.contains(&w.id.0));
        rest.into_iter().filter(fits).collect()
    } else {
        // Of several workers of one name, those that are gone do not count.
        let (up, gone): (Vec<_>, Vec<_>) = named.into_iter().partition(|w| w.age_ms.is_some());
        if up.is_empty() { gone } else { up }
    };
    one(found, "worker", text, |w| format!("{} ({})", w.id, w.name))
}

/// A module by digest, unique prefix of one, `name:version`, or name.
pub(crate) fn module<'a>(
    catalogue: &'a Catalogue,
    text: &str,
) -> Result<&'a ModuleRecord, Problem> {
    let found = catalogue.matches(text);
    one(found, "module", text, |m| {
        format!("{} ({})", m.digest, m.names.join(", "))
    })
    .map_err(|p| {
        if text.len() < MIN_PREFIX {
            p.help("A prefix of a digest has eight digits or more.")
        } else {
            p
        }
    })
}

/// A token by id or unique prefix.
pub(crate) fn token(all: Vec<TokenRecord>, text: &str) -> Result<TokenRecord, Problem> {
    let ids = range(text);
    let fits = |t: &TokenRecord| ids.as_ref().is_some_and(|ids| ids.contains(&t.id.0));
    let found = all.into_iter().filter(fits).collect();
    one(found, "token", text, |t| format!("{} ({})", t.id, t.name))
}

/// A node of a job by name or number.
pub(crate) fn node(job: &JobView, text: &str) -> Result<NodeIndex, Problem> {
    let named = job.nodes.iter().position(|n| n.name == text);
    let numbered = || text.parse().ok().filter(|n: &usize| *n < job.nodes.len());
    let found = named
        .or_else(numbered)
        .and_then(|n| NodeIndex::try_from(n).ok());
    found.ok_or_else(|| {
        let names: Vec<&str> = job.nodes.iter().map(|n| n.name.as_str()).collect();
        Problem::not_found(format!("job {} has no task '{}'", job.id, clip(text)))
            .help(format!("It has: {}.", names.join(", ")))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_ranges() {
        let id: JobId = "0jx5k2m4t9".parse().unwrap();
        let holds = |prefix: &str| range(prefix).map(|ids| ids.contains(&id.0));
        for prefix in ["0", "0j", "0JX5", "0jx5k2m4t", "0jx5k2m4t9"] {
            assert_eq!(holds(prefix), Some(true), "{prefix}");
        }
        for prefix in ["1", "0k", "0jx5k2m4ta"] {
            assert_eq!(holds(prefix), Some(false), "{prefix}");
        }
        for bad in ["", "i", "0jx5k2m4t90", "ö", "0 ", "latest"] {
            assert_eq!(holds(bad), None, "{bad}");
        }
    }

    #[test]
    fn several_are_shown_none_is_not_found() {
        let check = |n: usize, want: &str| {
            let got = one((0..n).collect(), "job", "0", usize::to_string);
            assert_eq!(
                got.err().map(|p| p.code().to_owned()).unwrap_or_default(),
                want
            );
        };
        check(0, "not_found");
        check(1, "");
        check(2, "ambiguous_id");
    }
}
