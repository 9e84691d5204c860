//! How a job, a node or a task is named on the command line: `JOB`, `JOB.17`
//! (an index of the first node), `JOB.reduce` (a node), `JOB.count.17`.

use std::str::FromStr;
use wasmhost_proto::api::{JobView, TaskView};

/// Which task within a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference {
    /// An id, a unique prefix of one, or `latest`.
    pub(crate) job: String,
    /// A node's name or number; the first when only an index was given.
    pub(crate) node: Option<String>,
    /// An index of it.
    pub(crate) index: Option<u32>,
}

/// The number of the first node, which the API takes for its name.
pub(crate) const FIRST_NODE: &str = "0";

impl FromStr for Reference {
    type Err = String;
    fn from_str(text: &str) -> Result<Reference, String> {
        let bad =
            || format!("'{text}' names no task: write JOB, JOB.INDEX, JOB.NODE or JOB.NODE.INDEX");
        let (job, rest) = match text.split_once('.') {
            Some((job, rest)) => (job, Some(rest)),
            None => (text, None),
        };
        let (node, index) = match rest {
            None => (None, None),
            Some(rest) => match (rest.parse(), rest.rsplit_once('.')) {
                (Ok(index), _) => (Some(FIRST_NODE), Some(index)),
                // A node's name may have dots: only a number after the last one is an index.
                (_, Some((node, last))) if last.parse::<u32>().is_ok() => {
                    (Some(node), last.parse().ok())
                }
                _ => (Some(rest), None),
            },
        };
        if job.is_empty() || node.is_some_and(|node| node.split('.').any(str::is_empty)) {
            return Err(bad());
        }
        Ok(Reference {
            job: job.into(),
            node: node.map(Into::into),
            index,
        })
    }
}

impl Reference {
    /// Whether this task of the job is meant, or one of several that are.
    pub(crate) fn means(&self, job: &JobView, task: &TaskView) -> bool {
        let node = self.node.as_deref().is_none_or(|node| {
            let numbered = node
                .parse::<usize>()
                .ok()
                .and_then(|number| job.nodes.get(number));
            node == task.node || numbered.is_some_and(|n| n.name == task.node)
        });
        node && self.index.is_none_or(|index| index == task.index)
    }
}

/// A name of a whole job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct JobName(pub(crate) String);

impl FromStr for JobName {
    type Err = String;
    fn from_str(text: &str) -> Result<JobName, String> {
        match text.parse::<Reference>()? {
            Reference {
                job, node: None, ..
            } => Ok(JobName(job)),
            Reference { job, .. } => Err(format!("this is for whole jobs: write {job}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: Option<(&str, Option<&str>, Option<u32>)>) {
        let got = text.parse::<Reference>().ok();
        let want = want.map(|(job, node, index)| Reference {
            job: job.into(),
            node: node.map(Into::into),
            index,
        });
        assert_eq!(got, want, "{text:?}");
    }

    #[test]
    fn references() {
        check("latest", Some(("latest", None, None)));
        check("0jx5", Some(("0jx5", None, None)));
        check("0jx5.17", Some(("0jx5", Some("0"), Some(17))));
        check("0jx5.reduce", Some(("0jx5", Some("reduce"), None)));
        check("0jx5.count.17", Some(("0jx5", Some("count"), Some(17))));
        check("0jx5.1.0", Some(("0jx5", Some("1"), Some(0))));
        check("", None);
        check("0jx5.", None);
        check(".17", None);
        check("0jx5.a.b", Some(("0jx5", Some("a.b"), None)));
        check("0jx5.a.b.3", Some(("0jx5", Some("a.b"), Some(3))));
        check("0jx5.a..3", None);
        check(
            "0jx5.99999999999",
            Some(("0jx5", Some("99999999999"), None)),
        );
        assert_eq!("ab".parse(), Ok(JobName("ab".into())));
        assert!("ab.3".parse::<JobName>().is_err());
    }
}
