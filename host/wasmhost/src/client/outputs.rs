//! Outputs over the API.

use super::{Client, ClientError};
use reqwest::{Method, Response};
use wasmhost_proto::api::{OutputView, Page};

impl Client {
    /// All outputs of a job.
    pub(crate) async fn outputs(&self, job: &str) -> Result<Page<OutputView>, ClientError> {
        let mut all: Page<OutputView> = Page {
            items: Vec::new(),
            next_cursor: None,
        };
        loop {
            let mut query = vec![("limit", "500".to_owned())];
            query.extend(all.next_cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Page<OutputView> = self.get(&["jobs", job, "outputs"], &query).await?;
            all.items.extend(page.items);
            if page.next_cursor.is_none() {
                return Ok(all);
            }
            all.next_cursor = page.next_cursor;
        }
    }

    /// The bytes of one.
    pub(crate) async fn output(
        &self,
        job: &str,
        node: &str,
        index: u32,
        name: &str,
    ) -> Result<Response, ClientError> {
        let index = index.to_string();
        let path = ["jobs", job, "tasks", node, &index, "outputs", name];
        self.send(self.request(Method::GET, &path, &[])).await
    }
}
