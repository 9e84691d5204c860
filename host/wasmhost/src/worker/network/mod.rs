//! Requests that attempts send over the network: which are granted, how many at once, and
//! until when. They leave from here, where no guest runs; what was refused is told to the
//! guest and to the audit log.

mod address;
mod fetch;
mod judge;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use super::driver::Cause;
use super::runs::Key;
use crate::executor::HttpCall;
use fetch::{Client, System};
use judge::{Asked, Keys, Refused};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use wasmhost_proto::http::{HttpRefusal, HttpReply, HttpRequest, HttpResponse};
use wasmhost_proto::limits::{DEFAULT_FETCH_MS, MAX_FETCH_MS, MAX_FETCHES, MAX_WORKER_FETCHES};
use wasmhost_proto::reach::Reach;
use wasmhost_proto::wire::NodeSpec;

/// All requests of a worker that are under way.
pub(super) struct Network {
    way: Arc<Way>,
    /// Dropping an attempt's ends them.
    live: HashMap<Key, JoinSet<()>>,
    causes: mpsc::Sender<Cause>,
}

/// What all requests share.
struct Way {
    offered: Vec<Reach>,
    client: Client,
    permits: Semaphore,
}

impl Network {
    /// With what the settings offer.
    pub(super) fn new(offered: Vec<Reach>, causes: mpsc::Sender<Cause>) -> Network {
        // The machine's authorities are read only where somebody may need them.
        let tls = match offered.is_empty() {
            true => Err("this worker offers no network".into()),
            false => trusted(),
        };
        if let (Err(why), false) = (&tls, offered.is_empty()) {
            tracing::warn!("requests within TLS will fail: {why}");
        }
        let resolver = Box::new(System);
        Network {
            way: Arc::new(Way {
                offered,
                client: Client { resolver, tls },
                permits: Semaphore::new(MAX_WORKER_FETCHES),
            }),
            live: HashMap::new(),
            causes,
        }
    }

    /// What the primary is told of it.
    pub(super) fn offers(&self) -> Vec<Reach> {
        self.way.offered.clone()
    }

    /// Begins a request. What it comes to, if that is known at once; else it comes as a
    /// [`Cause::Requested`].
    pub(super) fn call(&mut self, call: HttpCall) -> Option<HttpReply> {
        let key = (call.task, call.lease);
        let under_way = self.live.entry(key).or_default();
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= MAX_FETCHES {
            let why = format!("{MAX_FETCHES} requests are under way, and no more may be");
            return Some(HttpReply::Refused(HttpRefusal::Invalid, why));
        }
        let (way, causes) = (self.way.clone(), self.causes.clone());
        under_way.spawn(async move {
            let reply = way.fetch(key, &call.spec, call.request).await;
            let _ = causes.send(Cause::Requested(key, call.call, reply)).await;
        });
        None
    }

    /// An attempt is over, and so are its requests.
    pub(super) fn ended(&mut self, key: Key) {
        if !self.live.is_empty() {
            self.live.remove(&key);
        }
    }
}

/// The authorities that this machine trusts.
fn trusted() -> Result<Arc<ClientConfig>, String> {
    match ClientConfig::with_platform_verifier() {
        Ok(mut config) => {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
            Ok(Arc::new(config))
        }
        Err(error) => Err(format!("the machine's authorities cannot be read: {error}")),
    }
}

impl Way {
    /// Carries out a request, and notes what became of it.
    async fn fetch(&self, key: Key, spec: &NodeSpec, request: HttpRequest) -> HttpReply {
        let granted = spec.grants.as_deref();
        let keys = Keys {
            granted: granted.map_or(&[], |granted| &granted.network),
            offered: &self.offered,
            secrets: spec.secrets(),
        };
        let time = request
            .timeout_ms
            .unwrap_or(DEFAULT_FETCH_MS)
            .min(MAX_FETCH_MS);
        let (task, attempt) = (key.0, key.1.attempt);
        let mut what = String::from("a request");
        match self.answer(keys, request, time, &mut what).await {
            Ok(answer) => {
                let (status, bytes) = (answer.status, answer.body.len());
                tracing::info!(target: "audit", %task, attempt, status, bytes, "sent {what}");
                HttpReply::Answered(answer)
            }
            Err((kind @ (HttpRefusal::NotGranted | HttpRefusal::Invalid), why)) => {
                tracing::warn!(target: "audit", %task, attempt, "refused {what}: {why}");
                HttpReply::Refused(kind, why)
            }
            Err((kind, why)) => {
                tracing::info!(target: "audit", %task, attempt, "sent {what} in vain: {why}");
                HttpReply::Refused(kind, why)
            }
        }
    }

    async fn answer(
        &self,
        keys: Keys<'_>,
        request: HttpRequest,
        time_ms: u64,
        what: &mut String,
    ) -> Result<HttpResponse, Refused> {
        let mut asked = Asked::read(request)?;
        *what = asked.to_string();
        keys.judge(&asked)?;
        keys.fill(&mut asked)?;
        let sent = async {
            // Never closed.
            let _permit = self.permits.acquire().await;
            self.client.send(asked, keys).await
        };
        match tokio::time::timeout(Duration::from_millis(time_ms), sent).await {
            Ok(answer) => answer,
            Err(_) => {
                let why = format!("{what}: no whole answer within {time_ms} ms");
                Err((HttpRefusal::TimedOut, why))
            }
        }
    }
}
