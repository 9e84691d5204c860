//! The calls about stored definitions.

use super::calls::UPLOAD;
use super::{Client, ClientError};
use reqwest::{Method, StatusCode};
use wasmhost_proto::api::{ApplyRequest, DefinitionView, Page, StoredName};
use wasmhost_proto::limits::MAX_HTTP_BODY;

impl Client {
    /// Stores a definition. Gives the version, and whether it is a new one.
    pub(crate) async fn apply(
        &self,
        request: &ApplyRequest,
    ) -> Result<(DefinitionView, bool), ClientError> {
        let post = self.request(Method::POST, &["definitions"], &[]);
        let response = self.send(post.timeout(UPLOAD).json(request)).await?;
        let created = response.status() == StatusCode::CREATED;
        let body = self.read(response, MAX_HTTP_BODY).await?;
        let view = serde_json::from_slice(&body).map_err(|error| self.odd(error.to_string()))?;
        Ok((view, created))
    }

    pub(crate) async fn definitions(&self) -> Result<Page<DefinitionView>, ClientError> {
        self.get(&["definitions"], &[]).await
    }

    pub(crate) async fn definition(&self, of: &StoredName) -> Result<DefinitionView, ClientError> {
        let version = of.version.map(|version| ("version", version.to_string()));
        self.get(&["definitions", &of.name], version.as_slice())
            .await
    }

    /// Newest first.
    pub(crate) async fn definition_versions(
        &self,
        name: &str,
    ) -> Result<Page<DefinitionView>, ClientError> {
        self.get(&["definitions", name, "versions"], &[]).await
    }

    pub(crate) async fn remove_definition(&self, name: &str) -> Result<(), ClientError> {
        self.delete(&["definitions", name]).await
    }
}
