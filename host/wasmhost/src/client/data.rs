//! Public data over the API.

use super::{ANSWER, Client, ClientError};
use reqwest::Method;
use wasmhost_proto::api::{EntryView, Page, SpaceView, WrittenView};
use wasmhost_proto::data::DataValue;
use wasmhost_proto::limits::MAX_HTTP_DATA_WAIT_MS;

/// Which change is wanted.
fn change(key: &str, if_revision: Option<u64>) -> Vec<(&'static str, String)> {
    let mut query = vec![("key", key.to_owned())];
    query.extend(if_revision.map(|revision| ("if_revision", revision.to_string())));
    query
}

impl Client {
    pub(crate) async fn spaces(&self) -> Result<Page<SpaceView>, ClientError> {
        self.get(&["data"], &[]).await
    }

    pub(crate) async fn entries(
        &self,
        space: &str,
        prefix: &str,
    ) -> Result<Page<EntryView>, ClientError> {
        let mut all: Page<EntryView> = Page {
            items: Vec::new(),
            next_cursor: None,
        };
        loop {
            let mut query = vec![("prefix", prefix.to_owned())];
            query.extend(all.next_cursor.take().map(|cursor| ("cursor", cursor)));
            let page: Page<EntryView> = self.get(&["data", space], &query).await?;
            all.items.extend(page.items);
            if page.next_cursor.is_none() {
                return Ok(all);
            }
            all.next_cursor = page.next_cursor;
        }
    }

    pub(crate) async fn entry(&self, space: &str, key: &str) -> Result<EntryView, ClientError> {
        let query = [("key", key.to_owned())];
        self.get(&["data", space, "entry"], &query).await
    }

    /// The entry as soon as its revision is not `known` (0: none), or after a while as it
    /// is; none when there is none.
    pub(crate) async fn entry_after(
        &self,
        space: &str,
        key: &str,
        known: u64,
    ) -> Result<Option<EntryView>, ClientError> {
        let query = [
            ("key", key.to_owned()),
            ("known", known.to_string()),
            ("wait_ms", (MAX_HTTP_DATA_WAIT_MS / 2).to_string()),
        ];
        match self.get(&["data", space, "entry"], &query).await {
            Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(None),
            other => other.map(Some),
        }
    }

    pub(crate) async fn put_entry(
        &self,
        space: &str,
        key: &str,
        value: &DataValue,
        if_revision: Option<u64>,
    ) -> Result<WrittenView, ClientError> {
        let query = change(key, if_revision);
        let put = self.request(Method::PUT, &["data", space, "entry"], &query);
        self.json(put.timeout(ANSWER).json(value)).await
    }

    pub(crate) async fn add_to_entry(
        &self,
        space: &str,
        key: &str,
        by: i64,
    ) -> Result<WrittenView, ClientError> {
        let query = [("key", key.to_owned()), ("by", by.to_string())];
        let add = self.request(Method::POST, &["data", space, "add"], &query);
        self.json(add.timeout(ANSWER)).await
    }

    pub(crate) async fn delete_entry(
        &self,
        space: &str,
        key: &str,
        if_revision: Option<u64>,
    ) -> Result<(), ClientError> {
        let query = change(key, if_revision);
        let delete = self.request(Method::DELETE, &["data", space, "entry"], &query);
        self.send(delete.timeout(ANSWER)).await.map(drop)
    }
}
