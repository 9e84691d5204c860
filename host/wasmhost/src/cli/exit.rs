//! Exit codes: an interface. Every command ends with one of these.

use crate::client::ClientError;
use crate::client::error::problem;
use wasmhost_proto::api::{Diagnostic, JobState, JobView, Problem};
use wasmhost_proto::outcome::FailureKind;

/// How the process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// All went well.
    pub(crate) const OK: Exit = Exit(0);
    /// A job failed or was cancelled, or something else went wrong.
    pub(crate) const FAILED: Exit = Exit(1);
    /// The command line or settings are wrong.
    pub(crate) const USAGE: Exit = Exit(2);
    /// What was named is not there.
    pub(crate) const NOT_FOUND: Exit = Exit(3);
    /// No token, or one that does not hold.
    pub(crate) const UNAUTHENTICATED: Exit = Exit(4);
    /// The primary refuses: a conflict, a mistake in a definition or module, a limit.
    pub(crate) const REFUSED: Exit = Exit(5);
    /// No primary answers.
    pub(crate) const UNREACHABLE: Exit = Exit(6);
    /// The time was up.
    pub(crate) const TIMED_OUT: Exit = Exit(124);
    /// Ctrl-C.
    pub(crate) const INTERRUPTED: Exit = Exit(130);

    /// For a refusal with this HTTP status.
    pub(crate) fn of_status(status: u16) -> Exit {
        match status {
            400 | 405 | 415 => Exit::USAGE,
            401 | 403 => Exit::UNAUTHENTICATED,
            404 | 410 => Exit::NOT_FOUND,
            409 | 411..=414 | 422 | 428 | 429 => Exit::REFUSED,
            502..=504 => Exit::UNREACHABLE,
            _ => Exit::FAILED,
        }
    }

    /// For a job that was waited for.
    pub(crate) fn of_job(job: &JobView) -> Exit {
        let expired = job
            .failure
            .as_ref()
            .is_some_and(|f| f.failure.kind == FailureKind::Expired);
        match job.state {
            JobState::Failed if expired => Exit::TIMED_OUT,
            JobState::Failed | JobState::Cancelled => Exit::FAILED,
            _ => Exit::OK,
        }
    }
}

/// A text that diagnostics point into.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// What to call it.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
    /// What diagnostics call it; none for a definition.
    pub(crate) file: Option<String>,
}

impl Source {
    /// A definition.
    pub(crate) fn definition(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source {
            name: name.into(),
            text: text.into(),
            file: None,
        }
    }

    /// Another text, which diagnostics call `file`.
    pub(crate) fn other(name: impl Into<String>, text: impl Into<String>, file: &str) -> Source {
        Source {
            file: Some(file.to_owned()),
            ..Source::definition(name, text)
        }
    }
}

/// A failure with an exit code and a problem of its own.
#[derive(Debug, thiserror::Error)]
#[error("{}", .problem.title)]
pub(crate) struct Fault {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// What is shown.
    pub(crate) problem: Box<Problem>,
    /// What its diagnostics point into.
    pub(crate) origins: Vec<Source>,
}

impl Fault {
    /// A failure that this side found.
    pub(crate) fn new(exit: Exit, code: &str, title: impl Into<String>) -> Fault {
        Fault {
            exit,
            problem: Box::new(problem(code, title.into(), None)),
            origins: Vec::new(),
        }
    }

    /// Says what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Fault {
        self.problem.help = Some(help.into());
        self
    }

    /// What the primary said, about a text of the user.
    pub(crate) fn about(error: ClientError, origin: Source) -> Fault {
        Fault {
            exit: error.exit(),
            problem: Box::new(error.problem()),
            origins: vec![origin],
        }
    }

    /// A refusal with every single mistake, and the texts that they point into.
    pub(crate) fn mistakes(
        code: &str,
        title: impl Into<String>,
        errors: Vec<Diagnostic>,
        origins: Vec<Source>,
    ) -> Fault {
        let mut fault = Fault::new(Exit::REFUSED, code, title);
        fault.problem.errors = errors;
        fault.origins = origins;
        fault
    }

    /// A definition that is refused with every mistake in it.
    pub(crate) fn refused(origin: Source, errors: Vec<Diagnostic>) -> Fault {
        let title = format!("{} is not a job definition", origin.name);
        Fault::mistakes("invalid_definition", title, errors, vec![origin])
    }

    /// Any error, as one with an exit code.
    pub(crate) fn of(error: anyhow::Error) -> Fault {
        let error = match error.downcast::<Fault>() {
            Ok(fault) => return fault,
            Err(error) => error,
        };
        match error.downcast_ref::<ClientError>() {
            Some(client) => Fault {
                exit: client.exit(),
                problem: Box::new(client.problem()),
                origins: Vec::new(),
            },
            None => Fault::new(Exit::FAILED, "error", format!("{error:#}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_by_status() {
        for (status, want) in [
            (400, 2),
            (401, 4),
            (403, 4),
            (404, 3),
            (409, 5),
            (413, 5),
            (422, 5),
            (429, 5),
            (500, 1),
            (503, 6),
        ] {
            assert_eq!(Exit::of_status(status), Exit(want), "{status}");
        }
    }

    #[test]
    fn errors_keep_their_code_through_anyhow() {
        let unreachable = ClientError::Unreachable {
            addr: "http://x".into(),
            cause: "no".into(),
        };
        let fault = Fault::of(anyhow::Error::from(unreachable));
        assert_eq!(
            (fault.exit, fault.problem.code.as_str()),
            (Exit::UNREACHABLE, "unreachable")
        );
        assert!(fault.problem.help.is_some());
        let fault = Fault::of(Fault::new(Exit::TIMED_OUT, "timed_out", "late").into());
        assert_eq!(fault.exit, Exit::TIMED_OUT);
        let fault = Fault::of(anyhow::anyhow!("inner").context("outer"));
        assert_eq!(
            (fault.exit, fault.problem.title.as_str()),
            (Exit::FAILED, "outer: inner")
        );
    }
}
