//! `wasi:http`: what a component sends through it goes the way of `wasmhost:task/http`, to
//! the worker's supervisor. Bodies are gathered whole; nothing is sent from here.

use crate::attempt::Controls;
use crate::calls::{Ask, Told};
use crate::state::State;
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt as _, Full};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmhost_proto::http::{HttpRefusal, HttpReply, HttpRequest, HttpResponse};
use wasmhost_proto::limits::{MAX_FETCH_BODY, MAX_FETCHES};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi_http::{
    Error, RequestOptions, Result, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
};

/// What the interface keeps for an attempt that uses it.
pub(crate) struct Web {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

struct Hooks {
    controls: Controls,
    /// As many bodies are gathered at once as requests may be under way.
    permits: Arc<Semaphore>,
}

type Io = Box<dyn Future<Output = Result<()>> + Send>;

impl Web {
    fn new(controls: Controls) -> Web {
        Web {
            ctx: WasiHttpCtx::new(),
            hooks: Hooks {
                controls,
                permits: Arc::new(Semaphore::new(MAX_FETCHES)),
            },
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let controls = &self.controls;
        let web = self
            .web
            .get_or_insert_with(|| Box::new(Web::new(controls.clone())));
        WasiHttpCtxView {
            hooks: &mut web.hooks,
            table: self.wasi.ctx().table,
            ctx: &mut web.ctx,
        }
    }
}

impl WasiHttpHooks for Hooks {
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io)>> + Send> {
        let (controls, permits) = (self.controls.clone(), self.permits.clone());
        Box::new(async move {
            // Never closed.
            let _permit = permits.acquire_owned().await;
            let request = gather(request, options).await?;
            let reply = controls.ask(Ask::Http(Box::new(request))).await;
            let answer = match reply {
                Some(Told::Http(reply)) => answer(*reply)?,
                Some(Told::Data(_) | Told::Program(_)) => return Err(internal("another answer")),
                None => return Err(internal("stopped while a request was under way")),
            };
            Ok((answer, Box::new(async { Ok(()) }) as Io))
        })
    }
}

fn internal(why: impl Into<String>) -> Error {
    Error::InternalError(Some(why.into()))
}

/// The whole request.
async fn gather(
    request: http::Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<HttpRequest> {
    let (head, mut rest) = request.into_parts();
    let mut headers = Vec::with_capacity(head.headers.len());
    for (name, value) in &head.headers {
        // The supervisor's to say: it has the body.
        if *name == header::CONTENT_LENGTH {
            continue;
        }
        let value = value.to_str().map_err(|_| Error::HttpRequestHeaderSize {
            field_name: Some(name.to_string()),
            field_size: None,
        })?;
        headers.push((name.to_string(), value.to_owned()));
    }
    let mut body = Vec::new();
    while let Some(frame) = rest.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            if body.len() + bytes.len() > MAX_FETCH_BODY {
                return Err(Error::HttpRequestBodySize(Some(MAX_FETCH_BODY as u64)));
            }
            body.extend_from_slice(&bytes);
        }
    }
    let time = options.and_then(|options| options.first_byte_timeout);
    let request = HttpRequest {
        method: head.method.to_string(),
        url: head.uri.to_string(),
        headers,
        body,
        timeout_ms: time.map(|time| time.as_millis().try_into().unwrap_or(u64::MAX)),
    };
    match request.fault() {
        Some(why) => Err(internal(why)),
        None => Ok(request),
    }
}

fn answer(reply: HttpReply) -> Result<http::Response<WasiBody>> {
    match reply {
        HttpReply::Answered(answer) => {
            response(answer).map_err(|error| internal(error.to_string()))
        }
        HttpReply::Refused(HttpRefusal::NotGranted, _) => Err(Error::HttpRequestDenied),
        HttpReply::Refused(HttpRefusal::TimedOut, _) => Err(Error::HttpResponseTimeout),
        HttpReply::Refused(HttpRefusal::Invalid | HttpRefusal::Failed, why) => Err(internal(why)),
    }
}

fn response(answer: HttpResponse) -> http::Result<http::Response<WasiBody>> {
    let mut response = http::Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(answer.body));
    response.body(
        body.map_err(|never: Infallible| match never {})
            .boxed_unsync(),
    )
}
