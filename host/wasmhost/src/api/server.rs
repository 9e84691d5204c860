//! Connections: accept, TLS, HTTP/1.1, an orderly end.
//!
//! Bounded in number, and each in the time it may take to say what it wants.

use super::edge::Remote;
use super::state::{App, Shared};
use super::{called, engines, router, serving, tls};
use crate::primary::Handle;
use anyhow::Context;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use wasmhost_proto::api::{DriverView, StoredName};
use wasmhost_proto::grants::Ceiling;
use wasmhost_proto::limits::{HTTP_HEAD_MS, HTTP_SHUTDOWN_MS, MAX_HTTP_CONNECTIONS};

/// Bytes of a request's head: tokens, keys and cursors are far below.
const MAX_HEAD: usize = 64 << 10;
/// After accepting failed, for want of file descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How clients reach the primary.
#[derive(Clone, Debug)]
pub(crate) struct HttpOptions {
    /// The address; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// TLS, and with which certificate; plain HTTP when none.
    pub(crate) tls: Option<tls::Tls>,
    /// Whether plain HTTP may leave this machine.
    pub(crate) allow_plain: bool,
    /// A folder of engines that become modules before anybody is served.
    pub(crate) engines: Option<PathBuf>,
    /// The stored definition of the primary's driver.
    pub(crate) driver: Option<StoredName>,
    /// What definitions may ask for.
    pub(crate) ceiling: Ceiling,
}

/// A running server.
pub(crate) struct Serving {
    address: SocketAddr,
    secure: bool,
    engines: Vec<String>,
    driver: DriverView,
    accepting: JoinHandle<()>,
}

impl Serving {
    /// Where it listens, as clients write it: `http://127.0.0.1:7310`.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The names of the modules that came from the folder of engines.
    pub(crate) fn engines(&self) -> &[String] {
        &self.engines
    }

    /// The primary's driver as it was when the server began.
    pub(crate) fn driver(&self) -> &DriverView {
        &self.driver
    }

    /// Waits until it has shut down.
    pub(crate) async fn wait(self) {
        if let Err(e) = self.accepting.await {
            tracing::error!("the HTTP server broke off: {e}");
        }
    }
}

/// Serves the API until `shutdown` is ready; then requests under way get a
/// moment, event streams end, and [`Serving::wait`] returns. Fails when the
/// address is taken, or would carry plain HTTP off this machine.
pub(crate) async fn serve(
    handle: Handle,
    options: HttpOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<Serving> {
    let acceptor = tls::acceptor(
        options.listen,
        options.tls.as_ref(),
        options.allow_plain,
        handle.authority(),
    )?;
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("the HTTP address {} cannot be used", options.listen))?;
    let address = listener.local_addr()?;
    let secure = acceptor.is_some();
    let closing = CancellationToken::new();
    let ceiling = options.ceiling;
    let app = App::new(handle, closing.clone(), secure, options.driver, ceiling)
        .await
        .context("the modules cannot be read")?;
    let engines = match &options.engines {
        Some(dir) => engines::load(&app, dir).await?,
        None => Vec::new(),
    };
    called::serve(&app);
    if let Err(problem) = serving::load(&app).await {
        anyhow::bail!("{problem}");
    }
    let driver = app.serving.view();
    let accepting = tokio::spawn(accept(listener, acceptor, app, closing, shutdown));
    Ok(Serving {
        address,
        secure,
        engines,
        driver,
        accepting,
    })
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    app: Shared,
    closing: CancellationToken,
    shutdown: impl Future<Output = ()> + Send,
) {
    let router = router::service(app);
    let places = Arc::new(Semaphore::new(MAX_HTTP_CONNECTIONS));
    let open = TaskTracker::new();
    tokio::pin!(shutdown);
    loop {
        // The place first: what does not fit waits in the listener's queue.
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            () = &mut shutdown => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match (place, accepted) {
            (Ok(place), Ok((stream, remote))) => {
                open.spawn(connection(
                    stream,
                    remote,
                    acceptor.clone(),
                    router.clone(),
                    closing.clone(),
                    place,
                ));
            }
            (_, accepted) => {
                if let Err(e) = accepted {
                    tracing::warn!("a connection could not be accepted: {e}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    closing.cancel();
    open.close();
    if tokio::time::timeout(Duration::from_millis(HTTP_SHUTDOWN_MS), open.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            connections = open.len(),
            "cut off requests that did not end"
        );
    }
}

async fn connection(
    stream: TcpStream,
    remote: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    closing: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    // Small answers leave at once.
    let _ = stream.set_nodelay(true);
    let Some(acceptor) = acceptor else {
        return http(stream, remote, router, closing).await;
    };
    let limit = Duration::from_millis(HTTP_HEAD_MS);
    match tokio::time::timeout(limit, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => http(stream, remote, router, closing).await,
        Ok(Err(e)) => tracing::debug!(%remote, "no TLS session: {e}"),
        Err(_) => tracing::debug!(%remote, "no TLS session within {limit:?}"),
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    remote: SocketAddr,
    router: Router,
    closing: CancellationToken,
) {
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Remote(remote));
        router.clone().call(request.map(Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(HTTP_HEAD_MS))
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!(%remote, "a connection ended: {e}");
    }
}
