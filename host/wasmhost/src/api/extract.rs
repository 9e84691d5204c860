//! What handlers take from a request, with problems instead of plain-text
//! rejections: JSON bodies, queries, path parameters.
//!
//! A JSON body needs its content type, so that no web form can make one.

use super::problem::Problem;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            let title = "the body is not declared as JSON";
            let code = "unsupported_media_type";
            return Err(
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, title)
                    .help("Send the header 'content-type: application/json'."),
            );
        }
        let bytes = body(request, state).await?;
        serde_json::from_slice(&bytes).map(Json).map_err(|e| {
            let code = if e.is_data() { "bad_body" } else { "bad_json" };
            Problem::bad(code, format!("the body cannot be read: {e}"))
                .help("/api/v1/openapi.json describes the body of every request.")
        })
    }
}

/// A JSON body that may be missing altogether; then the default.
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.headers().contains_key(header::CONTENT_TYPE) {
            let Json(value) = Json::from_request(request, state).await?;
            return Ok(OptionalJson(value));
        }
        match body(request, state).await? {
            bytes if bytes.is_empty() => Ok(OptionalJson(T::default())),
            _ => Err(Problem::bad("bad_body", "the body has no content type")
                .help("Send the header 'content-type: application/json', or no body.")),
        }
    }
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|e| {
        let status = e.status();
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(
                status,
                "too_large",
                "the body is larger than this request may be",
            )
            .help("Upload large inputs with POST /api/v1/blobs and name them in the job.")
        } else {
            Problem::bad("bad_body", "the body ended early or is malformed")
        }
    })
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// A query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(query) => Ok(Query(query.0)),
            Err(e) => Err(Problem::bad("bad_query", e.body_text())),
        }
    }
}

/// Path parameters.
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(path) => Ok(Path(path.0)),
            Err(e) => Err(Problem::bad("bad_path", e.body_text())),
        }
    }
}
