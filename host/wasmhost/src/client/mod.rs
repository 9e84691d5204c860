//! The client of the API, typed: one method per path. Used by every verb that
//! asks a primary; there is no other way from the command line to it.

mod calls;
mod data;
mod definitions;
mod driver;
pub(crate) mod error;
mod outputs;
mod secrets;
mod sse;

pub(crate) use calls::{Listing, PATIENCE, TRY_EVERY};
pub(crate) use error::ClientError;
pub(crate) use sse::{Events, SseEvent};

use crate::settings::Settings;
use error::root;
use reqwest::{Certificate, Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use std::time::Duration;
use wasmhost_proto::api::Problem;
use wasmhost_proto::limits::MAX_HTTP_BODY;

/// To establish a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// For an answer that needs no upload.
const ANSWER: Duration = Duration::from_secs(60);
/// Without a byte on a stream of events: three of its keep-alives.
const SILENCE: Duration = Duration::from_secs(45);

/// A primary's API.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Client {
    /// A client for the primary that the settings name. Talks to it only when
    /// more than one local token could be meant.
    pub(crate) async fn open(settings: &Settings) -> Result<Client, ClientError> {
        let base = base_url(&settings.addr)?;
        let local = settings.local_authority();
        let is_local = base.scheme() == "https" && is_loopback(&base) && local.exists();
        let ca = settings
            .ca
            .as_deref()
            .or(is_local.then_some(local.as_path()));
        let mut client = Client::new(base, ca)?;
        let mut tokens = tokens(settings)?.into_iter();
        client.token = tokens.next();
        for other in tokens {
            match client.info().await {
                Err(ClientError::Problem(problem)) if problem.status == 401 => {
                    client.token = Some(other)
                }
                _ => break,
            }
        }
        Ok(client)
    }

    fn new(base: Url, ca: Option<&Path>) -> Result<Client, ClientError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("wasmhost/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        builder = match ca {
            Some(path) => builder.tls_certs_only(certificates(path)?),
            // Without TLS the system's roots need not even be there.
            None if base.scheme() == "http" => builder.tls_certs_only([]),
            None => builder,
        };
        let http = builder.build().map_err(|error| {
            ClientError::Settings(format!("cannot set up the client: {}", root(&error)))
        })?;
        Ok(Client {
            http,
            base,
            token: None,
        })
    }

    /// The primary's address, for messages.
    pub(crate) fn addr(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, String)]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self.http.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = self.read(response, 1 << 20).await?;
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
            Err(_) => Err(self.odd(format!("status {status} without a reason"))),
        }
    }

    /// The body, refused when it is longer than `max` bytes.
    async fn read(&self, mut response: Response, max: usize) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > max {
                return Err(self.odd(format!("an answer is longer than {max} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.send(request).await?;
        let body = self.read(response, MAX_HTTP_BODY).await?;
        serde_json::from_slice(&body).map_err(|error| self.odd(error.to_string()))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        self.json(self.request(Method::GET, path, query).timeout(ANSWER))
            .await
    }

    async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<T, ClientError> {
        self.json(
            self.request(Method::POST, path, &[])
                .timeout(ANSWER)
                .json(body),
        )
        .await
    }

    async fn delete(&self, path: &[&str]) -> Result<(), ClientError> {
        self.send(self.request(Method::DELETE, path, &[]).timeout(ANSWER))
            .await
            .map(drop)
    }

    fn odd(&self, what: String) -> ClientError {
        ClientError::Protocol {
            addr: self.addr().into(),
            what,
        }
    }
}

fn base_url(addr: &str) -> Result<Url, ClientError> {
    let text = if addr.contains("://") {
        addr.to_owned()
    } else {
        format!("http://{addr}")
    };
    let url = Url::parse(&text).map_err(|error| {
        ClientError::Settings(format!("the address '{addr}' is not a URL: {error}"))
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(ClientError::Settings(format!(
            "the address '{addr}' is not of the form http://HOST:PORT or https://HOST:PORT"
        )));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let bad = |why: String| {
        ClientError::Settings(format!(
            "cannot use the certificate {}: {why}",
            path.display()
        ))
    };
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let list = Certificate::from_pem_bundle(&pem).map_err(|error| bad(root(&error)))?;
    if list.is_empty() {
        Err(bad("it has no PEM certificate".into()))
    } else {
        Ok(list)
    }
}

/// The tokens that could be meant: exactly one when it was named, else those
/// that primaries on this machine left behind.
fn tokens(settings: &Settings) -> Result<Vec<String>, ClientError> {
    if let Some(token) = &settings.token {
        return Ok(vec![token.trim().to_owned()]);
    }
    let read = |path: &Path| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    if let Some(path) = &settings.token_file {
        let token = read(path).map_err(|error| ClientError::File {
            what: format!("cannot read the token file {}", path.display()),
            error,
        })?;
        return Ok(vec![token]);
    }
    Ok(settings
        .local_tokens()
        .iter()
        .filter_map(|path| read(path).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (addr, want) in [
            (
                "http://127.0.0.1:7310",
                Some(("http://127.0.0.1:7310/", true)),
            ),
            ("127.0.0.1:7310", Some(("http://127.0.0.1:7310/", true))),
            ("https://[::1]:7310/", Some(("https://[::1]:7310/", true))),
            ("localhost:1", Some(("http://localhost:1/", true))),
            (
                "https://primary.example:7310",
                Some(("https://primary.example:7310/", false)),
            ),
            ("ftp://x", None),
            ("http://", None),
            ("not a url", None),
        ] {
            let got = base_url(addr)
                .ok()
                .map(|url| (url.to_string(), is_loopback(&url)));
            assert_eq!(
                got,
                want.map(|(url, loopback)| (url.to_owned(), loopback)),
                "{addr}"
            );
        }
    }

    #[test]
    fn a_named_token_stands_alone() {
        let settings = Settings {
            token: Some(" wht_x \n".into()),
            ..Settings::default()
        };
        assert_eq!(tokens(&settings).ok(), Some(vec!["wht_x".to_owned()]));
        let settings = Settings {
            token_file: Some("/nonexistent".into()),
            ..Settings::default()
        };
        assert!(tokens(&settings).is_err());
    }
}
