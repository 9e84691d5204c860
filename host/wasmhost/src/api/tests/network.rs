//! The server itself: where it may listen, TLS, its orderly end.

use super::*;
use crate::api::{HttpOptions, Tls, serve};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

fn options(listen: &str, tls: Option<Tls>, allow_plain: bool) -> HttpOptions {
    HttpOptions {
        listen: listen.parse().unwrap(),
        tls,
        allow_plain,
        engines: None,
        driver: None,
        ceiling: Default::default(),
    }
}

/// Sends one request and reads until the server closes.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server may close without a close_notify; what came counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn plain_http_stays_on_this_machine() {
    let fixture = Fixture::new().await;
    let check = async |listen: &str, allow_plain: bool, starts: bool| {
        let options = options(listen, None, allow_plain);
        let serving = serve(fixture.app.handle.clone(), options, std::future::ready(())).await;
        match serving {
            Ok(serving) => {
                assert!(starts, "{listen}");
                serving.wait().await;
            }
            Err(e) => assert!(
                !starts && e.to_string().contains("refusing plain HTTP"),
                "{listen}: {e}"
            ),
        }
    };
    check("127.0.0.1:0", false, true).await;
    check("[::1]:0", false, true).await;
    check("0.0.0.0:0", false, false).await;
    check("0.0.0.0:0", true, true).await;
    check("192.0.2.1:0", false, false).await;
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_end() {
    let fixture = Fixture::new().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let serving = serve(
        fixture.app.handle.clone(),
        options("127.0.0.1:0", None, false),
        shutdown,
    )
    .await
    .unwrap();
    let address = serving.url().strip_prefix("http://").unwrap().to_owned();
    let answer = exchange(TcpStream::connect(&address).await.unwrap(), "/healthz").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"),
        "{answer}"
    );
    let answer = exchange(TcpStream::connect(&address).await.unwrap(), "/api/v1/info").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let answer = exchange(TcpStream::connect(&address).await.unwrap(), "/a b").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");

    // An open stream of events does not hold up the end.
    let mut watch = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "GET /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        fixture.token
    );
    watch.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 16];
    watch.read_exact(&mut first).await.unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200"));
    stop.send(()).unwrap();
    serving.wait().await;
    assert!(
        TcpStream::connect(&address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn the_clusters_authority_vouches_for_the_server() {
    let fixture = Fixture::new().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let tls = Tls::Cluster {
        names: vec!["primary.example".into()],
    };
    let handle = fixture.app.handle.clone();
    let serving = serve(handle, options("127.0.0.1:0", Some(tls), false), shutdown)
        .await
        .unwrap();
    let address = serving.url().strip_prefix("https://").unwrap().to_owned();

    let authority: CertificateDer<'static> = fixture.app.handle.authority().certificate().clone();
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let connector = TlsConnector::from(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ));
    for (name, trusted) in [
        ("localhost", true),
        ("primary.example", true),
        ("127.0.0.1", true),
        ("other.example", false),
    ] {
        let stream = TcpStream::connect(&address).await.unwrap();
        match connector
            .connect(ServerName::try_from(name).unwrap(), stream)
            .await
        {
            Ok(stream) => {
                let answer = exchange(stream, "/healthz").await;
                assert!(
                    trusted && answer.contains("strict-transport-security"),
                    "{name}: {answer}"
                );
            }
            Err(e) => assert!(!trusted, "{name}: {e}"),
        }
    }
    stop.send(()).unwrap();
    serving.wait().await;
}

#[tokio::test]
async fn files_that_are_no_certificate_are_named() {
    let fixture = Fixture::new().await;
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = (dir.path().join("a.crt"), dir.path().join("a.key"));
    std::fs::write(&certificate, "nothing").unwrap();
    let check = async |says: &str| {
        let tls = Tls::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let options = options("127.0.0.1:0", Some(tls), false);
        let serving = serve(fixture.app.handle.clone(), options, std::future::ready(())).await;
        let error = serving.err().map(|e| format!("{e:#}")).unwrap_or_default();
        assert!(error.contains(says), "{says}: {error}");
    };
    check("a.key").await;
    std::fs::write(&key, fixture.app.handle.authority().certificate_pem()).unwrap();
    check("a.key").await;
}
