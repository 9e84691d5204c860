//! Secrets over the API.

use super::{ANSWER, Client, ClientError};
use reqwest::Method;
use wasmhost_proto::api::{Page, SecretRequest, SecretView};

impl Client {
    pub(crate) async fn secrets(&self) -> Result<Page<SecretView>, ClientError> {
        self.get(&["secrets"], &[]).await
    }

    pub(crate) async fn set_secret(
        &self,
        name: &str,
        secret: &SecretRequest,
    ) -> Result<(), ClientError> {
        let put = self.request(Method::PUT, &["secrets", name], &[]);
        self.send(put.timeout(ANSWER).json(secret)).await.map(drop)
    }

    pub(crate) async fn remove_secret(&self, name: &str) -> Result<(), ClientError> {
        self.delete(&["secrets", name]).await
    }
}
