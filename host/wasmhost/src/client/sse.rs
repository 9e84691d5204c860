//! Server-sent events, as far as the API uses them: named events with data.
//! Refuses events that are too long; reconnecting is the caller's.
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>

use super::ClientError;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::collections::VecDeque;
use wasmhost_proto::limits::MAX_HTTP_BODY;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SseEvent {
    /// Its name; `message` unless said.
    pub(crate) name: String,
    /// Its data: lines joined by newlines.
    pub(crate) data: String,
}

/// An event passed the length limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Bytes in, events out.
#[derive(Default, Debug)]
pub(crate) struct Parser {
    line: Vec<u8>,
    name: String,
    data: String,
    after_cr: bool,
}

impl Parser {
    /// Takes the next bytes of the stream and adds the events they complete.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        out: &mut VecDeque<SseEvent>,
    ) -> Result<(), TooLong> {
        for &byte in bytes {
            let crlf = std::mem::take(&mut self.after_cr) && byte == b'\n';
            match byte {
                b'\n' if crlf => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    self.end_line(out);
                }
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > MAX_HTTP_BODY {
                return Err(TooLong);
            }
        }
        Ok(())
    }

    fn end_line(&mut self, out: &mut VecDeque<SseEvent>) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let mut data = std::mem::take(&mut self.data);
            if data.pop().is_some() {
                let name = if name.is_empty() {
                    "message".into()
                } else {
                    name
                };
                out.push_back(SseEvent { name, data });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.into(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            _ => {} // comments keep the connection alive; ids and retry times are not used
        }
    }
}

/// A stream of events from the primary.
pub(crate) struct Events {
    addr: String,
    body: BoxStream<'static, Result<Bytes, reqwest::Error>>,
    parser: Parser,
    ready: VecDeque<SseEvent>,
}

impl Events {
    pub(super) fn new(addr: String, response: reqwest::Response) -> Events {
        Events {
            addr,
            body: response.bytes_stream().boxed(),
            parser: Parser::default(),
            ready: VecDeque::new(),
        }
    }

    /// The next event; none when the primary ended the stream. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<Option<SseEvent>, ClientError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match self.body.next().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(bytes)) => self.parser.push(&bytes, &mut self.ready).map_err(|_| {
                    ClientError::Protocol {
                        addr: self.addr.clone(),
                        what: "an event is too long".into(),
                    }
                })?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way of cutting the text gives the same events.
    fn check(text: &str, want: &[(&str, &str)]) {
        let want: Vec<SseEvent> = want
            .iter()
            .map(|(n, d)| SseEvent {
                name: (*n).into(),
                data: (*d).into(),
            })
            .collect();
        for cut in 1..=text.len() {
            let (mut parser, mut out) = (Parser::default(), VecDeque::new());
            for piece in text.as_bytes().chunks(cut) {
                assert_eq!(parser.push(piece, &mut out), Ok(()));
            }
            assert_eq!(out, want, "{text:?} in pieces of {cut}");
        }
    }

    #[test]
    fn events() {
        check("event: job\ndata: {}\n\n", &[("job", "{}")]);
        check("event:job\r\ndata:{}\r\n\r\n", &[("job", "{}")]);
        check("data: a\rdata: b\r\r", &[("message", "a\nb")]);
        check(": keep-alive\n\ndata: x\n\n", &[("message", "x")]);
        check("event: nothing\n\ndata: é\n\n", &[("message", "é")]);
        check("data: unfinished", &[]);
        check("data\n\n", &[("message", "")]);
    }

    #[test]
    fn endless_lines_are_refused() {
        let (mut parser, mut out) = (Parser::default(), VecDeque::new());
        let chunk = vec![b'x'; 1 << 20];
        let refused =
            (0..=MAX_HTTP_BODY >> 20).any(|_| parser.push(&chunk, &mut out) == Err(TooLong));
        assert!(refused && out.is_empty());
    }
}
