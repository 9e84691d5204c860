//! One method per path of the API; see `wasmhost_proto::api::paths`.

use super::{Client, ClientError, Events};
use reqwest::{Body, Method, Response};
use serde::de::DeserializeOwned;
use std::time::{Duration, Instant};
use wasmhost_proto::api::{
    CancelRequest, CheckView, DrainRequest, Info, JobStatus, JobView, LibraryView, ModuleView,
    NewJobs, NewToken, Page, SubmitBatch, SubmitRequest, TaskView, TokenRequest, TokenView,
    WorkerView, paths,
};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::MAX_MODULE;

/// To send and check a module of the largest size, on a slow line.
pub(super) const UPLOAD: Duration = Duration::from_secs(1800);
/// How long one request waits for the end of a job: less than its time limit.
pub(super) const LONG_POLL: Duration = Duration::from_secs(10);
/// A primary that comes back within this time is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Between two tries to reach it.
pub(crate) const TRY_EVERY: Duration = Duration::from_millis(500);
/// Items asked for in one page.
const PAGE: usize = 200;

/// Which items of a list are wanted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Listing {
    /// At most this many; all when none.
    pub(crate) limit: Option<usize>,
    /// Only those in this state.
    pub(crate) state: Option<String>,
    /// Only those of this node.
    pub(crate) node: Option<String>,
}

impl Client {
    pub(crate) async fn info(&self) -> Result<Info, ClientError> {
        self.get(&["info"], &[]).await
    }

    pub(crate) async fn submit(
        &self,
        request: &SubmitRequest,
        key: &str,
    ) -> Result<JobView, ClientError> {
        let post = self.request(Method::POST, &["jobs"], &[]).timeout(UPLOAD);
        self.json(post.header(paths::IDEMPOTENCY_KEY, key).json(request))
            .await
    }

    pub(crate) async fn submit_all(
        &self,
        batch: &SubmitBatch,
        key: &str,
    ) -> Result<NewJobs, ClientError> {
        let post = self.request(Method::POST, &["jobs", "batch"], &[]);
        let post = post.timeout(UPLOAD).header(paths::IDEMPOTENCY_KEY, key);
        self.json(post.json(batch)).await
    }

    pub(crate) async fn check(&self, request: &SubmitRequest) -> Result<CheckView, ClientError> {
        self.post(&["jobs", "check"], request).await
    }

    pub(crate) async fn jobs(&self, listing: &Listing) -> Result<Page<JobView>, ClientError> {
        self.pages(&["jobs"], listing).await
    }

    pub(crate) async fn job(&self, job: &str) -> Result<JobView, ClientError> {
        self.get(&["jobs", job], &[]).await
    }

    /// The job once it has ended.
    pub(crate) async fn job_end(&self, job: &str) -> Result<JobView, ClientError> {
        let wait = [("wait_ms", LONG_POLL.as_millis().to_string())];
        let mut view: JobView = self.get(&["jobs", job], &wait).await?;
        // `latest` is the same job all the time.
        let id = view.id.to_string();
        let mut lost: Option<Instant> = None;
        while !view.state.is_final() {
            view = match self.get(&["jobs", &id], &wait).await {
                Ok(view) => {
                    lost = None;
                    view
                }
                // A primary that restarts is waited for.
                Err(error) if error.is_passing() => {
                    if lost.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(error);
                    }
                    tokio::time::sleep(TRY_EVERY).await;
                    view
                }
                Err(error) => return Err(error),
            };
        }
        Ok(view)
    }

    pub(crate) async fn status(&self, job: &str) -> Result<JobStatus, ClientError> {
        self.get(&["jobs", job, "status"], &[]).await
    }

    /// The status after the workers were asked whose word is older than this.
    pub(crate) async fn fresh_status(
        &self,
        job: &str,
        max_age_ms: u64,
    ) -> Result<JobStatus, ClientError> {
        let age = [("max_age_ms", max_age_ms.to_string())];
        self.get(&["jobs", job, "status"], &age).await
    }

    /// A stream of [`JobStatus`] that ends after the job has.
    pub(crate) async fn job_events(&self, job: &str) -> Result<Events, ClientError> {
        let response = self
            .send(self.request(Method::GET, &["jobs", job, "events"], &[]))
            .await?;
        Ok(Events::new(self.addr().into(), response))
    }

    /// A stream of jobs and workers, as they change.
    pub(crate) async fn cluster_events(&self) -> Result<Events, ClientError> {
        let request = self.request(Method::GET, &["events"], &[]);
        Ok(Events::new(self.addr().into(), self.send(request).await?))
    }

    pub(crate) async fn tasks(
        &self,
        job: &str,
        listing: &Listing,
    ) -> Result<Page<TaskView>, ClientError> {
        self.pages(&["jobs", job, "tasks"], listing).await
    }

    pub(crate) async fn task(
        &self,
        job: &str,
        node: &str,
        index: u32,
    ) -> Result<TaskView, ClientError> {
        self.get(&["jobs", job, "tasks", node, &index.to_string()], &[])
            .await
    }

    pub(crate) async fn task_result(
        &self,
        job: &str,
        node: &str,
        index: u32,
    ) -> Result<Response, ClientError> {
        self.send(self.request(
            Method::GET,
            &["jobs", job, "tasks", node, &index.to_string(), "result"],
            &[],
        ))
        .await
    }

    pub(crate) async fn job_result(&self, job: &str) -> Result<Response, ClientError> {
        self.send(self.request(Method::GET, &["jobs", job, "result"], &[]))
            .await
    }

    pub(crate) async fn task_log(
        &self,
        job: &str,
        node: &str,
        index: u32,
    ) -> Result<String, ClientError> {
        let path = ["jobs", job, "tasks", node, &index.to_string(), "logs"];
        let response = self
            .send(self.request(Method::GET, &path, &[]).timeout(super::ANSWER))
            .await?;
        let body = self
            .read(response, 4 * wasmhost_proto::limits::MAX_LOG_BYTES)
            .await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    pub(crate) async fn cancel(
        &self,
        job: &str,
        request: &CancelRequest,
    ) -> Result<JobView, ClientError> {
        self.post(&["jobs", job, "cancel"], request).await
    }

    pub(crate) async fn retry(&self, job: &str) -> Result<JobView, ClientError> {
        self.json(
            self.request(Method::POST, &["jobs", job, "retry"], &[])
                .timeout(super::ANSWER),
        )
        .await
    }

    pub(crate) async fn workers(&self) -> Result<Page<WorkerView>, ClientError> {
        self.pages(&["workers"], &Listing::default()).await
    }

    pub(crate) async fn drain(&self, worker: &str, on: bool) -> Result<WorkerView, ClientError> {
        self.post(&["workers", worker, "drain"], &DrainRequest { on })
            .await
    }

    pub(crate) async fn modules(&self) -> Result<Page<ModuleView>, ClientError> {
        self.pages(&["modules"], &Listing::default()).await
    }

    pub(crate) async fn module(&self, module: &str) -> Result<ModuleView, ClientError> {
        self.get(&["modules", module], &[]).await
    }

    /// The bytes of a module.
    pub(crate) async fn module_content(&self, module: &ModuleView) -> Result<Vec<u8>, ClientError> {
        let path = ["modules", &module.digest.to_string(), "content"];
        let request = self.request(Method::GET, &path, &[]).timeout(UPLOAD);
        let response = self.send(request).await?;
        let max = usize::try_from(MAX_MODULE).unwrap_or(usize::MAX);
        self.read(response, max).await
    }

    pub(crate) async fn push_module(
        &self,
        name: Option<&str>,
        version: Option<&str>,
        body: Body,
    ) -> Result<ModuleView, ClientError> {
        let query: Vec<_> = [("name", name), ("version", version)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?.to_owned())))
            .collect();
        self.json(
            self.request(Method::POST, &["modules"], &query)
                .timeout(UPLOAD)
                .body(body),
        )
        .await
    }

    pub(crate) async fn remove_module(&self, module: &str) -> Result<(), ClientError> {
        self.delete(&["modules", module]).await
    }

    pub(crate) async fn libraries(&self) -> Result<Page<LibraryView>, ClientError> {
        self.pages(&["libraries"], &Listing::default()).await
    }

    /// Registers a library: these bytes, or a module of the store.
    pub(crate) async fn add_library(
        &self,
        name: &str,
        module: Option<&str>,
        body: Body,
    ) -> Result<LibraryView, ClientError> {
        let module = module.map(|module| ("module", module.to_owned()));
        let query: Vec<_> = [("name", name.to_owned())]
            .into_iter()
            .chain(module)
            .collect();
        let post = self.request(Method::POST, &["libraries"], &query);
        self.json(post.timeout(UPLOAD).body(body)).await
    }

    pub(crate) async fn remove_library(&self, name: &str) -> Result<(), ClientError> {
        self.delete(&["libraries", name]).await
    }

    pub(crate) async fn push_blob(&self, body: Body) -> Result<BlobRef, ClientError> {
        self.json(
            self.request(Method::POST, &["blobs"], &[])
                .timeout(UPLOAD)
                .body(body),
        )
        .await
    }

    pub(crate) async fn tokens(&self) -> Result<Page<TokenView>, ClientError> {
        self.pages(&["tokens"], &Listing::default()).await
    }

    pub(crate) async fn create_token(
        &self,
        request: &TokenRequest,
    ) -> Result<NewToken, ClientError> {
        self.post(&["tokens"], request).await
    }

    pub(crate) async fn revoke_token(&self, token: &str) -> Result<(), ClientError> {
        self.delete(&["tokens", token]).await
    }

    /// Follows a list's cursors until it ends or the limit is reached. The
    /// cursor of what was left out stays in the answer.
    async fn pages<T: DeserializeOwned>(
        &self,
        path: &[&str],
        listing: &Listing,
    ) -> Result<Page<T>, ClientError> {
        let mut all = Page {
            items: Vec::new(),
            next_cursor: None,
        };
        loop {
            let room = listing.limit.map_or(PAGE, |limit| {
                limit.saturating_sub(all.items.len()).min(PAGE)
            });
            let query: Vec<(&str, String)> = [
                ("limit", Some(room.to_string())),
                ("state", listing.state.clone()),
                ("node", listing.node.clone()),
                ("cursor", all.next_cursor.take()),
            ]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
            let page: Page<T> = self.get(path, &query).await?;
            all.items.extend(page.items);
            all.next_cursor = page.next_cursor;
            let full = listing.limit.is_some_and(|limit| all.items.len() >= limit);
            if all.next_cursor.is_none() || full {
                return Ok(all);
            }
        }
    }
}
