//! Requests against servers of this machine, and against names that lie.

use super::fetch::{Client, Resolve};
use super::judge::{Keys, Refused};
use super::*;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wasmhost_proto::limits::{MAX_FETCH_BODY, MAX_FETCH_HEADER_BYTES};
use wasmhost_proto::secret::Secret;

/// The answers of a name.
type Answers = Vec<&'static [&'static str]>;

/// The answers of each name, in turn; the last one stays.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<BTreeMap<&'static str, Answers>>>);

impl Names {
    fn of(names: &[(&'static str, &[&'static [&'static str]])]) -> Names {
        let names = names.iter().map(|(name, all)| (*name, all.to_vec()));
        Names(Arc::new(Mutex::new(names.collect())))
    }

    fn left(&self, name: &str) -> usize {
        self.0.lock().unwrap()[name].len()
    }
}

impl Resolve for Names {
    fn resolve<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>> {
        let mut names = self.0.lock().unwrap();
        let found = names.get_mut(name).map(|turns| match turns.len() {
            1 => turns[0],
            _ => turns.remove(0),
        });
        let found = found.unwrap_or_default().iter();
        let found = Ok(found.map(|text| text.parse().unwrap()).collect());
        Box::pin(std::future::ready(found))
    }
}

fn way(offered: &[&str], names: &Names) -> Way {
    Way {
        offered: offered.iter().map(|text| text.parse().unwrap()).collect(),
        client: Client {
            resolver: Box::new(names.clone()),
            tls: Err("nobody is trusted here".into()),
        },
        permits: Semaphore::new(MAX_WORKER_FETCHES),
    }
}

fn get(url: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        url: url.into(),
        ..HttpRequest::default()
    }
}

/// What comes of a request when the worker offers what the task was granted.
async fn send(
    granted: &[&str],
    names: &Names,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let way = way(granted, names);
    let keys = Keys {
        granted: &way.offered,
        offered: &way.offered,
        secrets: &[],
    };
    let time = request.timeout_ms.unwrap_or(60_000);
    way.answer(keys, request, time, &mut String::new()).await
}

/// A server that gives each connection the same answer, and then holds it open if it is to,
/// and what each has sent up to the end of its head.
async fn server(answer: Vec<u8>, hold: bool) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heads, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            let _ = heads.send(String::from_utf8(head).unwrap());
            let _ = stream.write_all(&answer).await;
            match hold {
                true => held.push(stream),
                false => drop(stream.shutdown().await),
            }
        }
    });
    (port, received)
}

fn refusal(came: &Result<HttpResponse, Refused>) -> Option<HttpRefusal> {
    came.as_ref().err().map(|(kind, _)| *kind)
}

/// With everything granted that has a name, and nothing by its address, nothing of one's own
/// network is reached, however it is written.
#[tokio::test]
async fn addresses_in_disguise() {
    let names = Names::of(&[
        ("localhost", &[&["127.0.0.1", "::1"]]),
        ("metadata.test", &[&["169.254.169.254"]]),
        ("mapped.test", &[&["::ffff:127.0.0.1"]]),
        ("nat64.test", &[&["64:ff9b::7f00:1"]]),
        ("sixtofour.test", &[&["2002:7f00:1::"]]),
        ("all.test", &[&["10.0.0.1", "fd00::1", "0.0.0.0", "::"]]),
    ]);
    let granted = ["* http://*:*", "* https://*:*"];
    for url in [
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7F.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.0.0.1./",
        "http://%31%32%37.0.0.1/",
        "http://\u{2460}\u{2461}\u{2466}.0.0.1/",
        "http://127\u{3002}0\u{3002}0\u{3002}1/",
        "http:127.0.0.1/",
        "http:\\\\127.0.0.1\\",
        "http://a.example:80#@127.0.0.1/\u{0}@localhost/",
        "http://0/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://localhost/",
        "http://LOCALHOST:8080/",
        "https://localhost/",
        "http://metadata.test/",
        "http://mapped.test/",
        "http://nat64.test/",
        "http://sixtofour.test/",
        "http://all.test/",
        "http://user@localhost/",
        "http://a.example@127.0.0.1/",
        "http://:secret@127.0.0.1/",
        "http://a.example:80@127.0.0.1/",
        "http://[fe80::1%25eth0]/",
        "http://127.0.0.1:99999/",
        "http:///",
        "http://",
        "//127.0.0.1/",
        "127.0.0.1",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "unix:/run/socket",
        "data:text/plain,hello",
    ] {
        let came = send(&granted, &names, get(url)).await;
        let refusal = refusal(&came);
        let refused = matches!(
            refusal,
            Some(HttpRefusal::NotGranted | HttpRefusal::Invalid)
        );
        // A host that nobody knows is the one that was asked for, not another.
        let unknown =
            refusal == Some(HttpRefusal::Failed) && format!("{came:?}").contains("a.example");
        assert!(refused || unknown, "{url}: {came:?}");
    }
}

#[tokio::test]
async fn what_is_granted_by_address() {
    let (port, mut heads) = server(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi".to_vec(),
        true,
    )
    .await;
    let here = format!("GET http://127.0.0.1:{port}");
    let named = format!("GET http://*.test:{port}");
    let names = Names::of(&[
        ("a.test", &[&["127.0.0.1"], &["10.0.0.1"]]),
        ("b.test", &[&["10.0.0.1"], &["127.0.0.1"]]),
        ("c.test", &[&["10.0.0.1", "127.0.0.1"]]),
    ]);
    let answered = |came: &Result<HttpResponse, Refused>| matches!(came, Ok(answer) if answer.status == 200 && answer.body == b"hi");
    let url = |host: &str| format!("http://{host}:{port}/p?q#f");
    let came = send(&[&here], &names, get(&url("127.0.0.1"))).await;
    assert!(answered(&came), "{came:?}");
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with("GET /p?q HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains(&format!("host: 127.0.0.1:{port}\r\n")),
        "{head}"
    );
    assert!(head.contains("user-agent: wasmhost/"), "{head}");

    // However it is written.
    let came = send(&[&here], &names, get(&url("2130706433"))).await;
    assert!(answered(&came), "{came:?}");
    // A name needs its own grant, and its address too.
    let came = send(&[&here], &names, get(&url("a.test"))).await;
    assert_eq!(refusal(&came), Some(HttpRefusal::NotGranted), "{came:?}");
    let came = send(&[&named], &names, get(&url("a.test"))).await;
    assert_eq!(refusal(&came), Some(HttpRefusal::NotGranted), "{came:?}");
    // The one answer that it was judged by is the one that is used.
    let names = Names::of(&[
        ("a.test", &[&["127.0.0.1"], &["10.0.0.1"]]),
        ("b.test", &[&["10.0.0.1"], &["127.0.0.1"]]),
        ("c.test", &[&["10.0.0.1", "127.0.0.1"]]),
    ]);
    let came = send(&[&here, &named], &names, get(&url("a.test"))).await;
    assert!(answered(&came), "{came:?}");
    assert_eq!(names.left("a.test"), 1);
    let came = send(&[&here, &named], &names, get(&url("b.test"))).await;
    assert_eq!(refusal(&came), Some(HttpRefusal::NotGranted), "{came:?}");
    let came = send(&[&here, &named], &names, get(&url("c.test"))).await;
    assert!(answered(&came), "{came:?}");

    // Another method, port, scheme, case.
    let post = HttpRequest {
        method: "POST".into(),
        ..get(&url("127.0.0.1"))
    };
    let lower = HttpRequest {
        method: "get".into(),
        ..get(&url("127.0.0.1"))
    };
    let next = get(&format!("http://127.0.0.1:{}/", port ^ 1));
    let secure = get(&format!("https://127.0.0.1:{port}/"));
    for request in [post, lower, next, secure] {
        let came = send(&[&here], &names, request).await;
        assert_eq!(refusal(&came), Some(HttpRefusal::NotGranted), "{came:?}");
    }
}

/// What one key has does not help where another has not.
#[tokio::test]
async fn both_keys_are_needed() {
    let names = Names::default();
    let wide = way(&["* http://*:*"], &names);
    let narrow = way(&["GET http://a.test"], &names);
    for (granted, offered) in [(&wide, &narrow), (&narrow, &wide)] {
        let keys = Keys {
            granted: &granted.offered,
            offered: &offered.offered,
            secrets: &[],
        };
        let mut what = String::new();
        let came = wide.answer(keys, get("http://b.test/"), 1000, &mut what);
        let came = came.await;
        assert_eq!(refusal(&came), Some(HttpRefusal::NotGranted), "{came:?}");
    }
}

#[tokio::test]
async fn requests_that_make_no_sense() {
    let (port, mut heads) = server(Vec::new(), false).await;
    let here = format!("* http://127.0.0.1:{port}");
    let url = format!("http://127.0.0.1:{port}/");
    let header = |name: &str, value: &str| HttpRequest {
        headers: vec![(name.into(), value.into())],
        ..get(&url)
    };
    let method = |method: &str| HttpRequest {
        method: method.into(),
        ..get(&url)
    };
    for request in [
        header("host", "b.example"),
        header("Host", "b.example"),
        header("transfer-encoding", "chunked"),
        header("Transfer-Encoding", "chunked"),
        header("content-length", "0"),
        header("connection", "upgrade"),
        header("upgrade", "h2c"),
        header("proxy-authorization", "x"),
        header("Proxy-Connection", "x"),
        header("te", "trailers"),
        header("trailer", "x"),
        header("keep-alive", "x"),
        header("expect", "100-continue"),
        header("http2-settings", "x"),
        header("a", "b\r\nhost: b.example"),
        header("a", "b\nc: d"),
        header("a", "b\r\n\r\nGET / HTTP/1.1"),
        header("a", "b\0"),
        header("a\r\nb", "c"),
        header("a:b", "c"),
        header("a b", "c"),
        header(" a", "c"),
        header("", "c"),
        header("a", &"x".repeat(MAX_FETCH_HEADER_BYTES)),
        method(""),
        method("GET / HTTP/1.1\r\nhost: b"),
        method("GET "),
        method(&"G".repeat(100)),
        get(&format!("{url}{}", "x".repeat(10_000))),
        HttpRequest {
            body: vec![0; MAX_FETCH_BODY + 1],
            ..get(&url)
        },
        HttpRequest {
            headers: vec![("a".into(), "b".into()); 101],
            ..get(&url)
        },
    ] {
        let came = send(&[&here], &Names::default(), request).await;
        assert_eq!(refusal(&came), Some(HttpRefusal::Invalid), "{came:?}");
    }
    // Line ends in an address go nowhere.
    let odd = get(&format!("{url}a\r\nhost: b\r\n\r\nGET /%0d%0ax"));
    let _ = send(&[&here], &Names::default(), odd).await;
    let head = heads.recv().await.unwrap();
    assert!(
        head.starts_with("GET /ahost:%20bGET%20/%0d%0ax HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(heads.try_recv().is_err());
}

#[tokio::test]
async fn answers_out_of_bounds() {
    let check = async |answer: &[u8], hold: bool, want: Result<u16, HttpRefusal>, part: &str| {
        let (port, _heads) = server(answer.to_vec(), hold).await;
        let here = format!("* http://127.0.0.1:{port}");
        let request = HttpRequest {
            timeout_ms: Some(if want == Err(HttpRefusal::TimedOut) {
                100
            } else {
                60_000
            }),
            ..get(&format!("http://127.0.0.1:{port}/"))
        };
        let came = send(&[&here], &Names::default(), request).await;
        let got = came.as_ref().map(|answer| answer.status);
        assert_eq!(got.map_err(|(kind, _)| *kind), want, "{came:?}");
        assert!(format!("{came:?}").contains(part), "{came:?}");
    };
    let failed = Err(HttpRefusal::Failed);
    let timed_out = Err(HttpRefusal::TimedOut);
    check(b"HTTP/1.1 404 No\r\n\r\nnothing", false, Ok(404), "7 bytes").await;
    let away = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    check(away, true, Ok(302), "0 bytes").await;
    let most = [
        b"HTTP/1.1 200 OK\r\n\r\n".as_slice(),
        &vec![b'x'; MAX_FETCH_BODY],
    ]
    .concat();
    check(&most, false, Ok(200), "8388608 bytes").await;
    let more = [most.as_slice(), b"x"].concat();
    check(&more, true, failed, "more than").await;
    let headers = [
        b"HTTP/1.1 200 OK\r\na: ".as_slice(),
        &vec![b'x'; 2 * MAX_FETCH_HEADER_BYTES],
        b"\r\n\r\n",
    ];
    check(&headers.concat(), true, failed, "").await;
    let many = [
        b"HTTP/1.1 200 OK\r\n".to_vec(),
        b"a: b\r\n".repeat(101),
        b"\r\n".to_vec(),
    ];
    check(&many.concat(), true, failed, "").await;
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    check(switch, true, failed, "").await;
    check(b"SSH-2.0-OpenSSH_9.9\r\n", true, failed, "").await;
    check(b"", false, failed, "").await;
    check(
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi",
        false,
        failed,
        "",
    )
    .await;
    check(b"", true, timed_out, "within 100 ms").await;
    check(
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi",
        true,
        timed_out,
        "",
    )
    .await;
}

/// A secret goes with the requests that it may go with, in headers and nowhere else.
#[tokio::test]
async fn secrets_stand_in_headers() {
    let (port, mut heads) = server(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), false).await;
    let here = format!("* http://127.0.0.1:{port}");
    let secrets = [Secret {
        name: "key".into(),
        value: "hunter2".into(),
        to: vec![format!("GET http://127.0.0.1:{port}").parse().unwrap()],
        reveal: false,
    }];
    let way = way(&[&here], &Names::default());
    let keys = Keys {
        granted: &way.offered,
        offered: &way.offered,
        secrets: &secrets,
    };
    let request = |method: &str, value: &str| HttpRequest {
        method: method.into(),
        headers: vec![("authorization".into(), value.into())],
        body: b"${secrets.key}".to_vec(),
        ..get(&format!("http://127.0.0.1:{port}/$%7Bsecrets.key%7D"))
    };
    for (method, value, want) in [
        ("GET", "Bearer ${secrets.key}", Ok("Bearer hunter2")),
        ("GET", "${secrets.key", Ok("${secrets.key")),
        ("POST", "plain", Ok("plain")),
        ("POST", "Bearer ${secrets.key}", Err("may not go with POST")),
        (
            "GET",
            "${secrets.other}",
            Err("does not ask for the secret"),
        ),
        ("GET", "${secrets.}", Err("does not ask for the secret")),
    ] {
        let mut what = String::new();
        let came = way.answer(keys, request(method, value), 60_000, &mut what);
        match (came.await, want) {
            (Ok(_), Ok(want)) => {
                let head = heads.recv().await.unwrap();
                assert!(
                    head.contains(&format!("authorization: {want}\r\n")),
                    "{head}"
                );
                assert_eq!(head.contains("hunter2"), want.contains("hunter2"), "{head}");
            }
            (Err((HttpRefusal::NotGranted, why)), Err(want)) => {
                assert!(why.contains(want) && !why.contains("hunter2"), "{why}");
            }
            (came, want) => panic!("{method} {value}: {came:?} instead of {want:?}"),
        }
    }
}
