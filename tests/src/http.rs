//! The smallest client of the HTTP API, so that a test can say exactly what goes
//! over the socket, good or bad.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
pub struct Answer {
    /// The status code; 0 when the server hung up without one.
    pub status: u16,
    /// The head, as it came.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Sends one request as HTTP/1.0 and reads the answer to its end.
pub fn request(port: u16, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Answer {
    let mut head = format!(
        "{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-length: {}\r\n",
        body.len()
    );
    if method != "GET" {
        head.push_str("content-type: application/json\r\n");
    }
    if let Some(token) = token {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    head.push_str("\r\n");
    let mut raw = head.into_bytes();
    raw.extend_from_slice(body);
    exchange(port, &raw)
}

/// Whether a server of HTTP answers there, whatever it says. That something takes a connection
/// says less: a process that is about to be started has for a moment all sockets of the one
/// that starts it, also one that only looked for a free port.
pub fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut start = [0; 5];
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .is_ok()
        && stream
            .write_all(b"GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n")
            .is_ok()
        && stream.read_exact(&mut start).is_ok()
        && &start == b"HTTP/"
}

/// Sends these bytes and reads the answer to its end.
pub fn exchange(port: u16, raw: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the API listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a socket option");
    // A server that refuses early may close before it has read everything.
    let _ = stream.write_all(raw);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let split = all
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .map_or(all.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&all[..split]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    Answer {
        status,
        head,
        body: all[split..].to_vec(),
    }
}
