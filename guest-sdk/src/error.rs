//! Why a task failed, and whether trying again may help.

use std::fmt;

/// The failure of a task.
///
/// Every [`std::error::Error`] converts into a permanent one, so `?` works;
/// write `.map_err(TaskError::retryable)?` where another attempt may help.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskError {
    message: String,
    retryable: bool,
}

impl TaskError {
    /// Another attempt with the same input would fail too.
    pub fn permanent(message: impl fmt::Display) -> TaskError {
        TaskError {
            message: message.to_string(),
            retryable: false,
        }
    }

    /// Another attempt may succeed; the job's retry policy decides whether there is one.
    pub fn retryable(message: impl fmt::Display) -> TaskError {
        TaskError {
            message: message.to_string(),
            retryable: true,
        }
    }

    /// What went wrong, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

// `TaskError` itself is no `std::error::Error`: this conversion would overlap with `From<T> for T`.
impl<E: std::error::Error> From<E> for TaskError {
    fn from(error: E) -> TaskError {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        TaskError::permanent(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("bad size")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    fn parse(text: &str) -> Result<u8, TaskError> {
        Ok(text.parse().map_err(Outer)?)
    }

    #[test]
    fn errors_convert_with_their_causes() {
        let error = TaskError::permanent("bad size: invalid digit found in string");
        assert_eq!(parse("x"), Err(error));
        assert!(TaskError::retryable("later").is_retryable());
    }
}
