//! The leanest client of the HTTP API: one connection that stays open, one
//! request at a time, blocking. What it costs is not the product's, so it does
//! nothing that a benchmark does not need.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// The server closes connections that are idle for longer than a few seconds.
const IDLE: Duration = Duration::from_secs(5);
/// Larger answers are none that a benchmark asks for.
const MAX_ANSWER: usize = 1 << 28;

/// A client.
pub(crate) struct Client {
    address: SocketAddr,
    token: String,
    connection: Option<BufReader<TcpStream>>,
    used: Instant,
}

/// An answer that is not an event stream.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// What an answer's head says.
struct Head {
    status: u16,
    length: Option<usize>,
}

impl Client {
    /// A client that will connect to `address` when it is first used.
    pub(crate) fn new(address: SocketAddr, token: &str) -> Client {
        Client {
            address,
            token: token.to_owned(),
            connection: None,
            used: Instant::now(),
        }
    }

    /// Another one for the same server.
    pub(crate) fn another(&self) -> Client {
        Client::new(self.address, &self.token)
    }

    /// One request and its whole answer.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer> {
        let head = self.send(method, path, body)?;
        let connection = self.connection.as_mut().context("not connected")?;
        let body = match head.length {
            Some(length) => {
                ensure!(length <= MAX_ANSWER, "an answer of {length} bytes");
                let mut body = vec![0; length];
                connection.read_exact(&mut body)?;
                body
            }
            None => chunks(connection)?,
        };
        self.used = Instant::now();
        Ok(Answer {
            status: head.status,
            body,
        })
    }

    /// The same for an answer that must be good; its body.
    pub(crate) fn good(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        let answer = self.call(method, path, body)?;
        if !(200..300).contains(&answer.status) {
            let text = String::from_utf8_lossy(&answer.body);
            bail!("{method} {path} was answered {}: {text}", answer.status);
        }
        Ok(answer.body)
    }

    /// The same for JSON.
    pub(crate) fn json(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Value> {
        let body = self.good(method, path, body)?;
        serde_json::from_slice(&body).with_context(|| format!("{method} {path} gave no JSON"))
    }

    /// The data of each event of a stream, until `look` has what it wants or the
    /// stream ends; what `look` gave. The connection is given up afterwards.
    pub(crate) fn watch<T>(
        &mut self,
        path: &str,
        mut look: impl FnMut(&[u8]) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let head = self.send("GET", path, b"")?;
        ensure!(
            head.status == 200,
            "GET {path} was answered {}",
            head.status
        );
        let mut connection = self.connection.take().context("not connected")?;
        let mut text = Vec::new();
        while let Some(chunk) = chunk(&mut connection)? {
            text.extend_from_slice(&chunk);
            while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = text.drain(..end + 2).collect();
                let mut lines = event.split(|byte| *byte == b'\n');
                if let Some(data) = lines.find_map(|line| line.strip_prefix(b"data: "))
                    && let Some(found) = look(data)?
                {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Head> {
        if self.used.elapsed() > IDLE {
            self.connection = None;
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect(self.address)
                    .with_context(|| format!("cannot connect to {}", self.address))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                none.insert(BufReader::new(stream))
            }
        };
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.token,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let exchanged = connection
            .get_mut()
            .write_all(&request)
            .map_err(anyhow::Error::from)
            .and_then(|()| head(connection));
        if exchanged.is_err() {
            self.connection = None;
        }
        exchanged.with_context(|| format!("{method} {path} failed"))
    }
}

fn line(connection: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    ensure!(connection.read_line(&mut line)? > 0, "the server hung up");
    line.truncate(line.trim_end().len());
    Ok(line)
}

fn head(connection: &mut impl BufRead) -> Result<Head> {
    let status = line(connection)?;
    let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut head = Head {
        status: code.with_context(|| format!("not an answer: '{status}'"))?,
        length: Some(0),
    };
    loop {
        let line = line(connection)?.to_ascii_lowercase();
        match line.split_once(": ") {
            None => return Ok(head),
            Some(("content-length", length)) => head.length = Some(length.parse()?),
            Some(("transfer-encoding", _)) => head.length = None,
            Some(_) => {}
        }
    }
}

/// One chunk of a chunked body; none after the last.
fn chunk(connection: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let length = usize::from_str_radix(&line(connection)?, 16).context("not a chunk")?;
    ensure!(length <= MAX_ANSWER, "a chunk of {length} bytes");
    let mut bytes = vec![0; length];
    connection.read_exact(&mut bytes)?;
    line_end(connection)?;
    Ok((length > 0).then_some(bytes))
}

fn line_end(connection: &mut impl Read) -> Result<()> {
    let mut end = [0; 2];
    connection.read_exact(&mut end)?;
    ensure!(&end == b"\r\n", "a chunk does not end where it should");
    Ok(())
}

fn chunks(connection: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = chunk(connection)? {
        ensure!(body.len() + chunk.len() <= MAX_ANSWER, "an endless answer");
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_chunks() {
        let mut text = &b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\nx: y\r\n\r\n"[..];
        let got = head(&mut text).unwrap();
        assert_eq!((got.status, got.length), (201, Some(12)));
        let mut text = &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"[..];
        assert_eq!(head(&mut text).unwrap().length, None);
        assert_eq!(
            chunks(&mut &b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"[..]).unwrap(),
            b"abcde"
        );
        for bad in [
            &b""[..],
            b"x\r\n",
            b"3\r\nabcd\r\n0\r\n\r\n",
            b"ffffffffff\r\n",
        ] {
            assert!(chunks(&mut &bad[..]).is_err());
        }
    }
}
