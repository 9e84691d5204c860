//! How the failure of a script is told.

use crate::bindings::TaskError;

/// Why a script failed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Failure {
    /// What went wrong, for people.
    pub message: String,
    /// Where: innermost first, such as `total (report.js:3:5)`.
    pub stack: Vec<String>,
    /// Whether another attempt may succeed.
    pub retryable: bool,
}

impl Failure {
    /// A failure that is nobody's line.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure {
            message: message.into(),
            ..Failure::default()
        }
    }
}

impl From<Failure> for TaskError {
    fn from(failure: Failure) -> TaskError {
        let mut message = failure.message;
        for frame in failure.stack {
            message.push_str("\n    at ");
            message.push_str(&frame);
        }
        TaskError {
            message,
            retryable: failure.retryable,
        }
    }
}
