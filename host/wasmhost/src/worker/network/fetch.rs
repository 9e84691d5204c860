//! Sends one request over a connection of its own and takes the whole answer. The name is
//! resolved once, and the connection goes to the addresses that were judged. Follows no
//! redirection, asks no proxy, keeps nothing.

use super::judge::{Asked, Keys, Refused};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Host;
use wasmhost_proto::http::{HttpRefusal, HttpResponse};
use wasmhost_proto::limits::{MAX_FETCH_BODY, MAX_FETCH_HEADER_BYTES, MAX_FETCH_HEADERS};
use wasmhost_proto::reach::Scheme;

/// Addresses of a name that are tried.
const TRIED: usize = 4;
/// How long one of several is tried before the next.
const CONNECT: Duration = Duration::from_secs(5);
/// Who sends a request, unless the task says so.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("wasmhost/", env!("CARGO_PKG_VERSION")));

type Found<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Who knows the addresses of names.
pub(super) trait Resolve: Send + Sync {
    /// All addresses of a name.
    fn resolve<'a>(&'a self, name: &'a str) -> Found<'a>;
}

/// The machine's own resolver.
pub(super) struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, name: &'a str) -> Found<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// What requests are sent with.
pub(super) struct Client {
    pub(super) resolver: Box<dyn Resolve>,
    /// Whom to trust, or why nobody can be.
    pub(super) tls: Result<Arc<ClientConfig>, String>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

fn failed(asked: &Asked, why: impl std::fmt::Display) -> Refused {
    (HttpRefusal::Failed, format!("{asked}: {why}"))
}

impl Client {
    /// Sends a request that was judged, except for the addresses of its host.
    pub(super) async fn send(&self, asked: Asked, keys: Keys<'_>) -> Result<HttpResponse, Refused> {
        let addresses = match (&asked.host, asked.address()) {
            (_, Some(address)) => vec![SocketAddr::new(address, asked.port)],
            (Host::Domain(name), None) => {
                let found = self.resolver.resolve(name).await;
                let found = found.map_err(|error| failed(&asked, error))?;
                keys.reachable(&asked, &found)?
            }
            (_, None) => Vec::new(),
        };
        let stream = connect(&addresses).await;
        let stream = stream.map_err(|error| failed(&asked, error))?;
        let stream = match asked.scheme {
            Scheme::Http => Box::new(stream) as Box<dyn Stream>,
            Scheme::Https => self.secure(&asked, stream).await?,
        };
        exchange(asked, stream).await
    }

    async fn secure(&self, asked: &Asked, stream: TcpStream) -> Result<Box<dyn Stream>, Refused> {
        let tls = self.tls.clone().map_err(|why| failed(asked, why))?;
        let name = match (&asked.host, asked.address()) {
            (_, Some(address)) => Ok(ServerName::from(address)),
            (host, None) => ServerName::try_from(host.to_string()),
        };
        let name = name.map_err(|error| failed(asked, error))?;
        let stream = TlsConnector::from(tls).connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| failed(asked, error))?))
    }
}

/// The first of the addresses that answers.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses.iter().take(TRIED) {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Sends the request and takes the answer.
async fn exchange(mut asked: Asked, stream: Box<dyn Stream>) -> Result<HttpResponse, Refused> {
    let mut builder = http1::Builder::new();
    builder
        .max_headers(MAX_FETCH_HEADERS)
        .max_buf_size(MAX_FETCH_HEADER_BYTES);
    let ready = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = ready.map_err(|error| failed(&asked, error))?;
    let request = request(&mut asked)?;
    let answer = async {
        let answer = sender.send_request(request).await;
        whole(
            &asked,
            answer.map_err(|error| failed(&asked, Broken(&error)))?,
        )
        .await
    };
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // What it has brought is there.
        _ = &mut connection => answer.await,
    }
}

fn request(asked: &mut Asked) -> Result<Request<Full<Bytes>>, Refused> {
    let host = HeaderValue::from_str(&asked.authority());
    let host = host.map_err(|error| failed(asked, error))?;
    let body = Full::new(Bytes::from(std::mem::take(&mut asked.body)));
    let mut request = Request::new(body);
    *request.method_mut() = asked.method.clone();
    *request.uri_mut() = asked.path.clone();
    let headers = request.headers_mut();
    headers.insert(header::HOST, host);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::USER_AGENT, AGENT);
    headers.extend(std::mem::take(&mut asked.headers));
    Ok(request)
}

/// An answer with its body, within their bounds.
async fn whole(asked: &Asked, answer: Response<Incoming>) -> Result<HttpResponse, Refused> {
    let (head, mut rest) = answer.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(failed(asked, "the server wants to speak something else"));
    }
    let headers = told(&head.headers);
    let headers = headers.ok_or_else(|| failed(asked, "the answer has too many headers"))?;
    let mut body = Vec::new();
    while let Some(frame) = rest.frame().await {
        let frame = frame.map_err(|error| failed(asked, Broken(&error)))?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        if body.len() + bytes.len() > MAX_FETCH_BODY {
            let why = format!("the answer has more than {MAX_FETCH_BODY} bytes");
            return Err(failed(asked, why));
        }
        body.extend_from_slice(&bytes);
    }
    Ok(HttpResponse {
        status: head.status.as_u16(),
        headers,
        body,
    })
}

fn told(headers: &HeaderMap) -> Option<Vec<(String, String)>> {
    let bytes = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    (bytes.sum::<usize>() <= MAX_FETCH_HEADER_BYTES).then(|| {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = headers.iter();
        headers
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect()
    })
}

/// What broke an exchange, with its cause.
struct Broken<'a>(&'a hyper::Error);

impl std::fmt::Display for Broken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        match std::error::Error::source(self.0) {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}
