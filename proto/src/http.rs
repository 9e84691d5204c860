//! Requests that a task which was granted them sends over the network: between an executor
//! and its supervisor, which sends them.

use crate::limits::{
    MAX_FETCH_BODY, MAX_FETCH_HEADER_BYTES, MAX_FETCH_HEADERS, MAX_FETCH_METHOD, MAX_FETCH_URL,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A request, whole.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HttpRequest {
    /// `GET`
    pub method: String,
    /// Where to, absolute.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Up to [`MAX_FETCH_BODY`].
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Until the end of the answer, milliseconds; never more than
    /// [`crate::limits::MAX_FETCH_MS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What a request is for is nobody's but the task's: neither headers nor body are shown.
impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bytes", self.method, self.body.len())
    }
}

impl HttpRequest {
    /// What is wrong with it before it is looked at closely; none when nothing is.
    pub fn fault(&self) -> Option<String> {
        let headers = self.headers.iter();
        let bytes: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        if self.method.len() > MAX_FETCH_METHOD {
            Some(format!(
                "the method of a request has at most {MAX_FETCH_METHOD} bytes"
            ))
        } else if self.url.len() > MAX_FETCH_URL {
            Some(format!(
                "the address of a request has at most {MAX_FETCH_URL} bytes"
            ))
        } else if self.headers.len() > MAX_FETCH_HEADERS || bytes > MAX_FETCH_HEADER_BYTES {
            Some(format!(
                "a request has at most {MAX_FETCH_HEADERS} headers of {MAX_FETCH_HEADER_BYTES} bytes \
                 in all"
            ))
        } else if self.body.len() > MAX_FETCH_BODY {
            Some(format!(
                "the body of a request has at most {MAX_FETCH_BODY} bytes"
            ))
        } else {
            None
        }
    }
}

/// Why a request was not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpRefusal {
    /// The task was not granted it.
    NotGranted,
    /// The request makes no sense: its message says why.
    Invalid,
    /// Nobody answered, or not as it should be.
    Failed,
    /// The time was over.
    TimedOut,
}

/// An answer, whole.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HttpResponse {
    /// `200`; redirections are answers, too.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Up to [`MAX_FETCH_BODY`].
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {} bytes", self.status, self.body.len())
    }
}

/// What came of a request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpReply {
    /// An answer.
    Answered(HttpResponse),
    /// None, and why.
    Refused(HttpRefusal, String),
}
