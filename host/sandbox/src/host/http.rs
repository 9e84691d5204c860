//! `wasmhost:task/http`: calls on the worker's supervisor, which sends requests and decides
//! which. A call that waits holds no thread.

use super::wasmhost::task::http as guest;
use crate::calls::{Ask, Told};
use crate::state::State;
use wasmhost_proto::http::{HttpRefusal, HttpReply, HttpRequest};

impl guest::Host for State {
    async fn fetch(&mut self, request: guest::Request) -> Result<guest::Response, guest::Error> {
        let headers = request.headers.into_iter();
        let request = HttpRequest {
            method: request.method,
            url: request.url,
            headers: headers.map(|header| (header.name, header.value)).collect(),
            body: request.body,
            timeout_ms: request.timeout_ms,
        };
        // What makes no sense does not travel.
        if let Some(why) = request.fault() {
            return Err(guest::Error::Invalid(why));
        }
        let reply = match self.controls.ask(Ask::Http(Box::new(request))).await {
            Some(Told::Http(reply)) => *reply,
            Some(Told::Data(_) | Told::Program(_)) => {
                let why = "the worker gave another kind of answer";
                return Err(guest::Error::Failed(why.into()));
            }
            None => return Err(guest::Error::Stopped),
        };
        match reply {
            HttpReply::Answered(response) => Ok(guest::Response {
                status: response.status,
                headers: (response.headers.into_iter())
                    .map(|(name, value)| guest::Header { name, value })
                    .collect(),
                body: response.body,
            }),
            HttpReply::Refused(kind, why) => Err(match kind {
                HttpRefusal::NotGranted => guest::Error::NotGranted(why),
                HttpRefusal::Invalid => guest::Error::Invalid(why),
                HttpRefusal::Failed => guest::Error::Failed(why),
                HttpRefusal::TimedOut => guest::Error::TimedOut(why),
            }),
        }
    }
}
