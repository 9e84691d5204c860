//! Tokens: make, list, take away. A secret is shown once, when it is made.

use super::extract::{Json, Path};
use super::problem::Problem;
use super::state::Shared;
use super::{auth, resolve};
use axum::extract::State;
use axum::http::StatusCode;
use wasmhost_core::record::{TokenRecord, Write};
use wasmhost_link::JoinToken;
use wasmhost_proto::api::{NewToken, Page, TokenKind, TokenRequest, TokenView};
use wasmhost_proto::limits::{DEFAULT_JOIN_TOKEN_MS, MAX_JOIN_TOKEN_MS, MAX_NAME, MAX_TOKENS};

/// Every token, without secrets, newest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", operation_id = "list_tokens",
    responses((status = 200, description = "All of them", body = Page<TokenView>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
) -> Result<axum::Json<Page<TokenView>>, Problem> {
    let mut all = app.read(|store| store.tokens()).await?;
    all.sort_by_key(|t| (std::cmp::Reverse(t.created), t.id));
    let items = all.iter().map(view).collect();
    Ok(axum::Json(Page {
        items,
        next_cursor: None,
    }))
}

/// Makes a token. Answers once it is durable.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", operation_id = "create_token",
    request_body = TokenRequest,
    responses((status = 201, description = "The token, with its secret", body = NewToken)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    Json(request): Json<TokenRequest>,
) -> Result<(StatusCode, axum::Json<NewToken>), Problem> {
    check(&request)?;
    if app.read(|store| store.tokens()).await?.len() >= MAX_TOKENS {
        return Err(Problem::conflict(
            "too_many_tokens",
            format!("there are {MAX_TOKENS} tokens, and no more fit"),
        )
        .help("Revoke some with `wasmhost token revoke`."));
    }
    let random = |e: &dyn std::fmt::Display| Problem::fault("the system gave no random numbers", e);
    let (secret, record) = match request.kind {
        TokenKind::Client => {
            auth::new_client_token(&request.name, request.ttl_ms).map_err(|e| random(&e))?
        }
        TokenKind::Join => {
            let fingerprint = app.handle.authority().fingerprint();
            let token = JoinToken::generate(fingerprint).map_err(|e| random(&e))?;
            let ttl = Some(request.ttl_ms.unwrap_or(DEFAULT_JOIN_TOKEN_MS));
            let record = auth::record(token.id, &token.secret, TokenKind::Join, &request.name, ttl);
            (token.to_string(), record)
        }
    };
    let token = view(&record);
    app.handle
        .write(vec![Write::Token(record)])
        .await
        .map_err(|_| Problem::stopping())?;
    Ok((StatusCode::CREATED, axum::Json(NewToken { secret, token })))
}

/// Takes a token away: it opens nothing from then on.
#[utoipa::path(delete, path = "/api/v1/tokens/{token}", tag = "tokens", operation_id = "revoke_token",
    params(("token" = String, Path, description = "Id or unique prefix")),
    responses((status = 204, description = "It is gone")))]
pub(crate) async fn revoke(
    State(app): State<Shared>,
    Path(token): Path<String>,
) -> Result<StatusCode, Problem> {
    let all = app.read(|store| store.tokens()).await?;
    let id = resolve::token(all, &token)?.id;
    app.handle
        .write(vec![Write::RemoveToken(id)])
        .await
        .map_err(|_| Problem::stopping())?;
    Ok(StatusCode::NO_CONTENT)
}

fn check(request: &TokenRequest) -> Result<(), Problem> {
    if request.name.len() > MAX_NAME || request.name.chars().any(char::is_control) {
        let title =
            format!("a token's name has at most {MAX_NAME} bytes and no control characters");
        return Err(Problem::invalid("bad_name", title));
    }
    let max = if request.kind == TokenKind::Join {
        MAX_JOIN_TOKEN_MS
    } else {
        u64::MAX
    };
    match request.ttl_ms {
        Some(0) => Err(Problem::invalid(
            "bad_ttl",
            "a token cannot live for no time at all",
        )),
        Some(ttl) if ttl > max => {
            let hours = MAX_JOIN_TOKEN_MS / 3_600_000;
            Err(Problem::invalid(
                "bad_ttl",
                format!("a join token lives for at most {hours} hours"),
            ))
        }
        _ => Ok(()),
    }
}

fn view(token: &TokenRecord) -> TokenView {
    TokenView {
        id: token.id,
        kind: token.kind,
        name: token.name.clone(),
        created: token.created,
        expires: token.expires,
        used: token.used,
    }
}
