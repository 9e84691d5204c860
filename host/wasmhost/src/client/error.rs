//! What can go wrong between a client and the primary, as a problem and an exit code.

use crate::cli::exit::Exit;
use wasmhost_proto::api::Problem;

/// Why a request to the primary gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The primary said no.
    #[error("{}", .0.title)]
    Problem(Box<Problem>),
    /// Nobody answers, or the connection broke.
    #[error("cannot reach the primary at {addr}: {cause}")]
    Unreachable {
        /// Its address.
        addr: String,
        /// The innermost cause.
        cause: String,
    },
    /// Somebody answers, but not as a primary does.
    #[error("{addr} does not answer like a primary: {what}")]
    Protocol {
        /// Its address.
        addr: String,
        /// What it said.
        what: String,
    },
    /// The address, the authority's certificate or the token cannot be used.
    #[error("{0}")]
    Settings(String),
    /// A file of the user could not be read or written.
    #[error("{what}: {error}")]
    File {
        /// What was tried, on which file.
        what: String,
        /// The cause.
        error: std::io::Error,
    },
}

impl ClientError {
    /// The exit code of a command that ends with this.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            ClientError::Problem(problem) => Exit::of_status(problem.status),
            ClientError::Unreachable { .. } | ClientError::Protocol { .. } => Exit::UNREACHABLE,
            ClientError::Settings(_) => Exit::USAGE,
            ClientError::File { .. } => Exit::FAILED,
        }
    }

    /// The problem as it is shown: the primary's own, or one of the same form.
    pub(crate) fn problem(&self) -> Problem {
        let (code, help) = match self {
            ClientError::Problem(problem) => {
                let mut problem = Problem::clone(problem);
                if problem.help.is_none() && matches!(problem.status, 401 | 403) {
                    problem.help = Some(TOKEN_HELP.into());
                }
                return problem;
            }
            ClientError::Unreachable { .. } => (
                "unreachable",
                "is it running? Start one with `wasmhost dev` or `wasmhost run-primary`, \
                 or name another with --addr URL",
            ),
            ClientError::Protocol { .. } => (
                "not_a_primary",
                "check --addr and WASMHOST_ADDR, and that both sides have the same version",
            ),
            ClientError::Settings(_) => (
                "bad_settings",
                "check the flags, WASMHOST_* and the settings file",
            ),
            ClientError::File { .. } => ("file", "check the path and its permissions"),
        };
        problem(code, self.to_string(), Some(help.into()))
    }

    /// Whether the same request may well succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } => true,
            ClientError::Problem(problem) => matches!(problem.status, 502..=504),
            _ => false,
        }
    }

    /// Whether the primary does not know what was asked for.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, ClientError::Problem(problem) if problem.status == 404)
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> ClientError {
        let addr = error
            .url()
            .map(|url| url.origin().ascii_serialization())
            .unwrap_or_default();
        let cause = match error.is_timeout() {
            true => "it does not answer in time".into(),
            false => root(&error),
        };
        ClientError::Unreachable { addr, cause }
    }
}

const TOKEN_HELP: &str = "set WASMHOST_TOKEN or WASMHOST_TOKEN_FILE; on the primary's machine its first token \
                          is in DATA/primary/client.token, and `wasmhost token create --client` makes others";

/// A problem that did not come from a primary.
pub(crate) fn problem(code: &str, title: String, help: Option<String>) -> Problem {
    Problem {
        kind: format!("urn:wasmhost:{code}"),
        status: 0,
        code: code.into(),
        title,
        help,
        errors: Vec::new(),
    }
}

/// The innermost cause of an error: what the user can do something about.
pub(crate) fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(inner) = error.source() {
        error = inner;
    }
    error.to_string()
}
