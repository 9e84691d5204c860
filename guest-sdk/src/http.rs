//! Requests over the network, for a task that was granted them
//! (`network = ["GET https://api.example.com"]` in its definition). Owns how they are made
//! and answers read; whom they may reach, and in what time, is the platform's.
//!
//! Redirections are answers like any other: where they lead to is another request.

use crate::context::Context;
// Elsewhere the host is a trait object, whose methods need no import.
#[cfg(target_family = "wasm")]
use crate::context::Host as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Why a request was not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HttpError {
    /// The request is not granted.
    NotGranted(String),
    /// The request makes no sense.
    Invalid(String),
    /// Nobody answered, or not as it should be.
    Failed(String),
    /// The time was over.
    TimedOut(String),
    /// Somebody asked this task to stop.
    Stopped,
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HttpError::Stopped => f.write_str("stopped while a request was under way"),
            HttpError::NotGranted(why)
            | HttpError::Invalid(why)
            | HttpError::Failed(why)
            | HttpError::TimedOut(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for HttpError {}

/// A request, to be sent with [`send`](HttpRequest::send): [`Context::http`].
pub struct HttpRequest<'a> {
    context: &'a Context,
    parts: HttpParts,
}

/// What a request says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HttpParts {
    /// In capital letters.
    pub method: String,
    /// Absolute.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Until the end of the answer.
    pub timeout: Option<Duration>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HttpResponse {
    /// `200`
    pub status: u16,
    /// Names, in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Context {
    /// A request over the network.
    ///
    /// ```no_run
    /// # use wasmhost::{Context, HttpError};
    /// # fn f(ctx: &Context) -> Result<(), HttpError> {
    /// let answer = ctx
    ///     .http("POST", "https://api.example.com/items")
    ///     .json(&["a", "b"])?
    ///     .send()?
    ///     .ok()?;
    /// let ids: Vec<u64> = answer.json()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn http(&self, method: &str, url: impl Into<String>) -> HttpRequest<'_> {
        HttpRequest {
            context: self,
            parts: HttpParts {
                method: method.to_owned(),
                url: url.into(),
                ..HttpParts::default()
            },
        }
    }
}

impl HttpRequest<'_> {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parts.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.parts.body = bytes.into();
        self
    }

    /// Sets the body to `value` as JSON, and says so in a header.
    ///
    /// # Errors
    /// There is no JSON for it.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Result<Self, HttpError> {
        let json = serde_json::to_vec(value);
        let json = json.map_err(|error| HttpError::Invalid(format!("no JSON: {error}")))?;
        Ok(self.header("content-type", "application/json").body(json))
    }

    /// Waits so long for the whole answer, not half a minute; five minutes at most.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.parts.timeout = Some(time);
        self
    }

    /// Sends it and waits for the whole answer.
    ///
    /// # Errors
    /// It is not granted, or nobody answers. That the answer is an error of the server is
    /// none: see [`HttpResponse::ok`].
    pub fn send(self) -> Result<HttpResponse, HttpError> {
        self.context.host().http(self.parts)
    }
}

impl HttpResponse {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// This answer if its status is 2xx.
    ///
    /// # Errors
    /// It is another one.
    pub fn ok(self) -> Result<HttpResponse, HttpError> {
        match self.status {
            200..300 => Ok(self),
            status => Err(HttpError::Failed(format!("the answer is {status}"))),
        }
    }

    /// The body as text; what is none is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, which is JSON.
    ///
    /// # Errors
    /// It is not, or not of this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        let read = serde_json::from_slice(&self.body);
        read.map_err(|error| HttpError::Failed(format!("the answer is not as expected: {error}")))
    }
}
