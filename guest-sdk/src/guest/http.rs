//! The platform's calls for requests over the network.

use crate::bindings::wasmhost::task::http as wit;
use crate::http::{HttpError, HttpParts, HttpResponse};

pub(super) fn fetch(parts: HttpParts) -> Result<HttpResponse, HttpError> {
    let timeout = parts.timeout.map(|time| time.as_millis());
    let headers = parts.headers.into_iter();
    let request = wit::Request {
        method: parts.method,
        url: parts.url,
        headers: headers
            .map(|(name, value)| wit::Header { name, value })
            .collect(),
        body: parts.body,
        timeout_ms: timeout.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
    };
    let answer = wit::fetch(&request).map_err(error)?;
    let headers = answer.headers.into_iter();
    Ok(HttpResponse {
        status: answer.status,
        headers: headers.map(|header| (header.name, header.value)).collect(),
        body: answer.body,
    })
}

fn error(error: wit::Error) -> HttpError {
    match error {
        wit::Error::NotGranted(why) => HttpError::NotGranted(why),
        wit::Error::Invalid(why) => HttpError::Invalid(why),
        wit::Error::Failed(why) => HttpError::Failed(why),
        wit::Error::TimedOut(why) => HttpError::TimedOut(why),
        wit::Error::Stopped => HttpError::Stopped,
    }
}
