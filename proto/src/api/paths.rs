//! The paths of the client API.
//!
//! | method and path | body → answer |
//! |---|---|
//! | `GET /api/v1/info` | → [`super::Info`] |
//! | `POST /api/v1/jobs` (`Idempotency-Key`) | [`super::SubmitRequest`] → 201 [`super::JobView`] |
//! | `POST /api/v1/jobs/batch` (`Idempotency-Key`) | [`super::SubmitBatch`] → 201 [`super::NewJobs`] |
//! | `POST /api/v1/jobs/check` | [`super::SubmitRequest`] → [`super::CheckView`] |
//! | `GET /api/v1/jobs?state=&limit=&cursor=` | → [`super::Page`] of [`super::JobView`], newest first |
//! | `GET /api/v1/jobs/{job}` | → [`super::JobView`] |
//! | `GET /api/v1/jobs/{job}/status` | → [`super::JobStatus`] |
//! | `GET /api/v1/jobs/{job}/events` | → server-sent events `job` ([`super::JobStatus`]) until it ends |
//! | `GET /api/v1/jobs/{job}/tasks?node=&state=&limit=&cursor=` | → [`super::Page`] of [`super::TaskView`] |
//! | `GET /api/v1/jobs/{job}/tasks/{node}/{index}` | → [`super::TaskView`] |
//! | `GET /api/v1/jobs/{job}/tasks/{node}/{index}/result` | → bytes |
//! | `GET /api/v1/jobs/{job}/tasks/{node}/{index}/logs` | → text |
//! | `GET /api/v1/jobs/{job}/tasks/{node}/{index}/outputs/{name}` | → bytes |
//! | `GET /api/v1/jobs/{job}/outputs?limit=&cursor=` | → [`super::Page`] of [`super::OutputView`], by task |
//! | `GET /api/v1/jobs/{job}/result` | → bytes of the last node's single task |
//! | `POST /api/v1/jobs/{job}/cancel` | [`super::CancelRequest`] → [`super::JobView`] |
//! | `POST /api/v1/jobs/{job}/retry` | → [`super::JobView`]: failed and cancelled tasks run again |
//! | `GET /api/v1/definitions` | → [`super::Page`] of [`super::DefinitionView`], by name |
//! | `POST /api/v1/definitions` | [`super::ApplyRequest`] → 201 [`super::DefinitionView`] |
//! | `GET /api/v1/definitions/{name}?version=` | → [`super::DefinitionView`] |
//! | `GET /api/v1/definitions/{name}/versions` | → [`super::Page`] of [`super::DefinitionView`], newest first |
//! | `GET /api/v1/definitions/{name}/schema?version=` | → JSON Schema of its parameters |
//! | `DELETE /api/v1/definitions/{name}` | → 204 |
//! | `GET /api/v1/driver` | → [`super::DriverView`] |
//! | `GET /api/v1/driver/requests` | → [`super::Page`] of [`super::RequestView`] that wait, oldest first |
//! | `POST /api/v1/driver/requests` | [`super::NewRequest`] → 201 [`super::RequestView`] |
//! | `GET /api/v1/driver/requests/{key}?wait_ms=` | → [`super::RequestView`] |
//! | `DELETE /api/v1/driver/requests/{key}` | → [`super::RequestView`]: one that waits is taken back |
//! | `GET /api/v1/data` | → [`super::Page`] of [`super::SpaceView`] |
//! | `GET /api/v1/data/{space}?prefix=&limit=&cursor=` | → [`super::Page`] of [`super::EntryView`], by key |
//! | `GET /api/v1/data/{space}/entry?key=&known=&wait_ms=` | → [`super::EntryView`] |
//! | `PUT /api/v1/data/{space}/entry?key=&if_revision=` | [`crate::data::DataValue`] → [`super::WrittenView`] |
//! | `DELETE /api/v1/data/{space}/entry?key=&if_revision=` | → 204 |
//! | `POST /api/v1/data/{space}/add?key=&by=` | → [`super::WrittenView`] |
//! | `GET /api/v1/events` | → server-sent events `job` ([`super::JobView`]) and `worker` ([`super::WorkerView`]) |
//! | `GET /api/v1/workers` | → [`super::Page`] of [`super::WorkerView`] |
//! | `POST /api/v1/workers/{worker}/drain` | [`super::DrainRequest`] → [`super::WorkerView`] |
//! | `GET /api/v1/modules` | → [`super::Page`] of [`super::ModuleView`] |
//! | `POST /api/v1/modules?name=&version=` | bytes → 201 [`super::ModuleView`] |
//! | `GET /api/v1/modules/{module}` | → [`super::ModuleView`] |
//! | `GET /api/v1/modules/{module}/content` | → bytes |
//! | `DELETE /api/v1/modules/{module}` | → 204 |
//! | `GET /api/v1/libraries` | → [`super::Page`] of [`super::LibraryView`], by name |
//! | `POST /api/v1/libraries?name=&module=` | bytes, or none with `module` → 201 [`super::LibraryView`] |
//! | `DELETE /api/v1/libraries/{name}` | → 204 |
//! | `POST /api/v1/blobs` | bytes → 201 [`crate::input::BlobRef`] |
//! | `GET /api/v1/tokens` | → [`super::Page`] of [`super::TokenView`] |
//! | `POST /api/v1/tokens` | [`super::TokenRequest`] → 201 [`super::NewToken`] |
//! | `DELETE /api/v1/tokens/{token}` | → 204 |
//! | `GET /api/v1/secrets` | → [`super::Page`] of [`super::SecretView`], by name |
//! | `PUT /api/v1/secrets/{secret}` | [`super::SecretRequest`] → 204 |
//! | `DELETE /api/v1/secrets/{secret}` | → 204 |
//! | `GET /api/v1/openapi.json` | → the OpenAPI document |
//! | `GET /healthz`, `/readyz`, `/metrics` | → text, without a token |
//!
//! `{job}`, `{worker}` and `{token}` are ids or unique prefixes (a job may be
//! `latest`, a worker its name), `{node}` is a name or number, `{module}` a
//! digest, a unique prefix of one of eight digits or more, `name` or `name:version`;
//! `{name}` is that of a stored definition, of a library or of an output, `{space}` that of a public
//! space.

/// Everything below it needs a token.
pub const API: &str = "/api/v1";

/// The header that makes a submission safe to repeat.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
