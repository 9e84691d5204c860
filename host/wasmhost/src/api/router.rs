//! Every route, and what surrounds them all.

use super::problem::Problem;
use super::state::Shared;
use super::{
    batch, blobs, data, definitions, driver, edge, events, info, jobs, libraries, metrics, modules,
    openapi, outputs, results, secrets, status, tasks, tokens, workers,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;
use wasmhost_proto::limits::{MAX_HTTP_BODY, MAX_REQUEST_BODY, MAX_SMALL_BODY};

/// The routes with their description.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    let large = DefaultBodyLimit::max(MAX_HTTP_BODY);
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(info::get))
        .routes(routes!(jobs::list, jobs::submit).layer(large))
        .routes(routes!(batch::submit).layer(large))
        .routes(routes!(jobs::check).layer(large))
        .routes(routes!(jobs::get))
        .routes(routes!(jobs::cancel))
        .routes(routes!(jobs::retry))
        .routes(routes!(status::get))
        .routes(routes!(events::job))
        .routes(routes!(results::of_job))
        .routes(routes!(tasks::list))
        .routes(routes!(tasks::get))
        .routes(routes!(results::of_task))
        .routes(routes!(outputs::list))
        .routes(routes!(outputs::get))
        .routes(routes!(results::logs))
        .routes(routes!(definitions::list, definitions::apply).layer(large))
        .routes(routes!(definitions::get, definitions::remove))
        .routes(routes!(definitions::versions))
        .routes(routes!(definitions::schema))
        .routes(routes!(driver::get))
        .routes(routes!(driver::list, driver::make).layer(DefaultBodyLimit::max(MAX_REQUEST_BODY)))
        .routes(routes!(driver::show, driver::withdraw))
        .routes(routes!(data::spaces))
        .routes(routes!(data::list))
        .routes(routes!(data::get, data::put, data::delete))
        .routes(routes!(data::add))
        .routes(routes!(events::cluster))
        .routes(routes!(workers::list))
        .routes(routes!(workers::drain))
        .routes(routes!(modules::list, modules::push))
        .routes(routes!(modules::get, modules::remove))
        .routes(routes!(results::of_module))
        .routes(routes!(libraries::list, libraries::add))
        .routes(routes!(libraries::remove))
        .routes(routes!(blobs::upload))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::set, secrets::remove))
        .routes(routes!(openapi::get))
        .routes(routes!(info::alive))
        .routes(routes!(info::ready))
        .routes(routes!(metrics::get))
}

/// The service: routes, and around each the edge with tokens, time limits,
/// headers and metrics.
pub(crate) fn service(app: Shared) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_method)
        .layer(DefaultBodyLimit::max(MAX_SMALL_BODY))
        .layer(axum::middleware::from_fn_with_state(
            app.clone(),
            edge::surround,
        ))
        .with_state(app)
}

async fn nothing_here(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::not_found(format!("there is nothing at {path}"))
        .help("/api/v1/openapi.json lists what there is.")
}

async fn not_this_method(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    let title = format!("{path} does not take this method");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", title)
        .help("/api/v1/openapi.json lists what there is.")
}
