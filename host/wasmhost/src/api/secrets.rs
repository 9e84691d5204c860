//! Secrets: set, list, remove. Values come in and never go out.

use super::auth;
use super::extract::{Json, Path};
use super::problem::Problem;
use super::state::{Shared, blocking};
use axum::extract::State;
use axum::http::StatusCode;
use wasmhost_proto::api::{Page, SecretRequest, SecretView};
use wasmhost_proto::limits::{MAX_NAME, MAX_SECRETS};
use wasmhost_proto::reach::Reach;
use wasmhost_proto::secret::Secret;

/// Every secret, without its value, by name.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets", operation_id = "list_secrets",
    responses((status = 200, description = "All of them", body = Page<SecretView>)))]
pub(crate) async fn list(State(app): State<Shared>) -> axum::Json<Page<SecretView>> {
    axum::Json(Page {
        items: app.handle.vault().views(),
        next_cursor: None,
    })
}

/// Keeps a secret, in the place of one of its name. Answers once it is durable.
#[utoipa::path(put, path = "/api/v1/secrets/{secret}", tag = "secrets", operation_id = "set_secret",
    params(("secret" = String, Path, description = "Its name")),
    request_body = SecretRequest,
    responses((status = 204, description = "It is kept")))]
pub(crate) async fn set(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Json(request): Json<SecretRequest>,
) -> Result<StatusCode, Problem> {
    let bad = |title: String| Problem::invalid("bad_secret", title);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(plain) {
        let title = format!("a secret's name has letters, digits, - and _, {MAX_NAME} at most");
        return Err(bad(title));
    }
    let to = request.to.into_iter().map(Reach::try_from);
    let secret = Secret {
        name,
        value: request.value,
        to: to.collect::<Result<_, _>>().map_err(bad)?,
        reveal: request.reveal,
    };
    if let Some(why) = secret.fault() {
        return Err(bad(why));
    }
    let (handle, now) = (app.handle.clone(), auth::now());
    let set = blocking(move || handle.vault().set(secret, now)).await;
    match set {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(Problem::conflict(
            "too_many_secrets",
            format!("there are {MAX_SECRETS} secrets, and no more fit"),
        )
        .help("Remove some with `wasmhost secret remove`.")),
        Err(error) => Err(Problem::fault("the secret could not be kept", &error)),
    }
}

/// Forgets a secret: tasks that ask for it get it no more.
#[utoipa::path(delete, path = "/api/v1/secrets/{secret}", tag = "secrets", operation_id = "remove_secret",
    params(("secret" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is gone")))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let (handle, known) = (app.handle.clone(), name.clone());
    match blocking(move || handle.vault().remove(&known)).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(Problem::not_found(format!("there is no secret '{name}'"))),
        Err(error) => Err(Problem::fault("the secret could not be removed", &error)),
    }
}
