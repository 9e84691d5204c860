//! The OpenAPI document, collected from the router: a route that is not
//! described cannot be served.

use super::router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use std::sync::LazyLock;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, ResponseBuilder};
use wasmhost_proto::api::{Problem, paths};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "wasmhost",
        version = "1",
        description = "Submit WebAssembly jobs, watch them, fetch their results. One API for the command line, the browser and everybody else.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem))
)]
struct Frame;

static TEXT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "cluster", operation_id = "get_openapi",
    responses((status = 200, description = "OpenAPI 3", content_type = "application/json", body = Object)))]
pub(crate) async fn get() -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], TEXT.as_str()).into_response()
}

/// What the routes are added to.
pub(crate) fn frame() -> utoipa::openapi::OpenApi {
    Frame::openapi()
}

/// The whole document.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let (_, mut document) = router::routes().split_for_parts();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("wht_<id>_<secret>")
        .description(Some(
            "A client token, made by `wasmhost token create --client`",
        ))
        .build();
    if let Some(components) = document.components.as_mut() {
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
    for (path, item) in document.paths.paths.iter_mut() {
        if !path.starts_with(paths::API) {
            continue;
        }
        for operation in [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.delete,
        ]
        .into_iter()
        .flatten()
        {
            guard(operation);
        }
    }
    document
}

/// What holds for every operation of the API: it needs a token, and may answer
/// with a problem.
fn guard(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new(
        "token",
        Vec::<String>::new(),
    )]);
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let problem = ResponseBuilder::new()
        .description("What went wrong, and what to do about it")
        .content("application/problem+json", Content::new(Some(schema)))
        .build();
    operation
        .responses
        .responses
        .insert("default".into(), RefOr::T(problem));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// `GET /path` of every operation in the document.
    fn served() -> BTreeSet<String> {
        let json: serde_json::Value = serde_json::from_str(&document().to_json().unwrap()).unwrap();
        let mut found = BTreeSet::new();
        for (path, item) in json["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        found
    }

    #[test]
    fn routes_are_those_of_the_contract() {
        let contract = include_str!("../../../../proto/src/api/paths.rs");
        let mut promised = BTreeSet::new();
        for row in contract
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `"))
        {
            let cell = row
                .split(" | ")
                .next()
                .unwrap_or_default()
                .split(" (")
                .next()
                .unwrap_or_default();
            // One cell may name several paths of one method.
            let mut method = "";
            for text in cell
                .split('`')
                .map(str::trim)
                .filter(|t| !t.is_empty() && *t != ",")
            {
                let path = match text.split_once(' ') {
                    Some((first, path)) => {
                        method = first;
                        path
                    }
                    None => text,
                };
                promised.insert(format!(
                    "{method} {}",
                    path.split('?').next().unwrap_or_default()
                ));
            }
        }
        assert!(promised.len() > 25, "{promised:#?}");
        assert_eq!(served(), promised);
    }

    #[test]
    fn every_operation_of_the_api_needs_a_token_and_names_its_problem() {
        let json: serde_json::Value = serde_json::from_str(&document().to_json().unwrap()).unwrap();
        for (path, item) in json["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let guarded = path.starts_with(paths::API);
                assert_eq!(
                    operation.get("security").is_some(),
                    guarded,
                    "{method} {path}"
                );
                let problem =
                    &operation["responses"]["default"]["content"]["application/problem+json"];
                assert_eq!(problem.is_object(), guarded, "{method} {path}");
            }
        }
    }

    #[test]
    fn every_reference_has_its_schema() {
        let text = document().to_pretty_json().unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(json["components"]["schemas"].get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_document_changes_on_purpose_only() {
        insta::assert_snapshot!("openapi", document().to_pretty_json().unwrap());
    }
}
