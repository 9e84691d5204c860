//! What surrounds every request: its id, its token, its time limit, the
//! security headers of its answer, its line in log and metrics.

use super::auth;
use super::problem::Problem;
use super::state::{App, Shared};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tracing::Instrument;
use wasmhost_proto::api::paths;
use wasmhost_proto::limits::HTTP_REQUEST_MS;

/// The client's address; the server adds it to every request.
#[derive(Clone, Copy)]
pub(crate) struct Remote(pub(crate) SocketAddr);

/// Names a request in the logs of both sides.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that a client may give.
const MAX_REQUEST_ID: usize = 64;

/// On every answer, unless the handler set its own.
const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("()"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Surrounds a request.
pub(crate) async fn surround(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("unmatched", |m| m.as_str())
        .to_owned();
    let id = request_id(request.headers());
    let span = tracing::info_span!("http", id = id.to_str().unwrap_or_default(), %method, route);
    let mut response = answer(&app, &route, request, next)
        .instrument(span.clone())
        .await;
    let took = began.elapsed();
    let headers = response.headers_mut();
    for (name, value) in &HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if app.secure {
        let value = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    headers.insert(REQUEST_ID, id);
    app.metrics
        .answered(&method, &route, response.status(), took);
    span.in_scope(|| {
        tracing::debug!(
            status = response.status().as_u16(),
            ms = took.as_millis() as u64,
            "answered"
        )
    });
    response
}

async fn answer(app: &App, route: &str, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with(paths::API) {
        let remote = request.extensions().get::<Remote>().map(|r| r.0);
        if let Err(problem) = auth::require(app, request.headers(), remote) {
            return problem.into_response();
        }
    }
    // Uploads watch over their own pace.
    let upload = ["/blobs", "/modules", "/libraries"];
    let upload = upload.iter().any(|end| route.ends_with(end)) && request.method() == Method::POST;
    if upload {
        return next.run(request).await;
    }
    let limit = Duration::from_millis(HTTP_REQUEST_MS);
    tokio::time::timeout(limit, next.run(request)).await.unwrap_or_else(|_| {
        let title = format!("the request took longer than {} seconds", limit.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", title)
            .help("What was begun may still happen: look before you repeat it, or use an idempotency key.")
            .into_response()
    })
}

/// The client's id if it is harmless in a log, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let harmless = |v: &&HeaderValue| {
        let fits = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
        (1..=MAX_REQUEST_ID).contains(&v.len()) && v.as_bytes().iter().all(fits)
    };
    let given = headers.get(REQUEST_ID).filter(harmless).cloned();
    given.unwrap_or_else(|| {
        let number = getrandom::u64().unwrap_or_default();
        HeaderValue::from_str(&format!("{number:016x}")).unwrap_or(HeaderValue::from_static("0"))
    })
}
