//! Errors as clients see them: RFC 9457 problems with stable codes.
//!
//! Every refusal of the API is made here or with [`Problem::new`], so that all
//! look alike. Never carries a token, a path of the server or an inner error.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fmt;
use wasmhost_proto::api::{self, Diagnostic};

/// A refusal on its way to the client. Boxed: results pass it on everywhere.
#[derive(Debug)]
pub(crate) struct Problem(Box<api::Problem>);

impl Problem {
    /// A problem of the stable name `code`; `title` says what and where in one sentence.
    pub(crate) fn new(status: StatusCode, code: &str, title: impl Into<String>) -> Problem {
        Problem(Box::new(api::Problem {
            kind: format!("urn:wasmhost:{code}"),
            status: status.as_u16(),
            code: code.to_owned(),
            title: title.into(),
            help: None,
            errors: Vec::new(),
        }))
    }

    /// Adds what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Problem {
        self.0.help = Some(help.into());
        self
    }

    /// Adds the single mistakes.
    pub(crate) fn errors(mut self, errors: Vec<Diagnostic>) -> Problem {
        self.0.errors = errors;
        self
    }

    /// What was asked for does not exist.
    pub(crate) fn not_found(title: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", title)
    }

    /// The request does not fit the state of things.
    pub(crate) fn conflict(code: &str, title: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, code, title)
    }

    /// A malformed part of the request.
    pub(crate) fn bad(code: &str, title: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, code, title)
    }

    /// A definition, module or value that was understood and is wrong.
    pub(crate) fn invalid(code: &str, title: impl Into<String>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, title)
    }

    /// A body above a bound.
    pub(crate) fn too_large(what: &str, max: u64) -> Problem {
        let title = format!("{what} is larger than {max} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", title)
    }

    /// Too much of something at once.
    pub(crate) fn busy(title: impl Into<String>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", title).help("Try again in a moment.")
    }

    /// The primary is shutting down.
    pub(crate) fn stopping() -> Problem {
        let title = "the primary is shutting down";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", title)
            .help("Try again when it has started again; everything acknowledged is kept.")
    }

    /// A fault of ours; `cause` goes to the log only.
    pub(crate) fn fault(what: &str, cause: &dyn std::fmt::Display) -> Problem {
        tracing::error!(%cause, "{what}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", what)
            .help("The primary's log says more, under this request's x-request-id.")
    }

    /// The stable name.
    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.title)?;
        let errors = self.0.errors.iter();
        errors
            .map(|error| &error.message)
            .try_for_each(|message| write!(f, "; {message}"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&*self.0)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        match status {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static("Bearer realm=\"wasmhost\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}
