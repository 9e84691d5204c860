//! Frames over the socket between a supervisor and an executor: one message
//! each, many to a write.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wasmhost_proto::codec::{self, CodecError, HEADER};

/// Bytes that a write gathers before it goes out.
pub(super) const BATCH_BYTES: usize = 256 << 10;
/// Bytes asked for in a read, and kept between frames.
const READ_BYTES: usize = 64 << 10;

/// Reads messages from the other side.
pub(super) struct Receiver<R> {
    from: R,
    buffer: Vec<u8>,
    /// Where the first unread frame begins.
    at: usize,
}

impl<R: AsyncRead + Unpin> Receiver<R> {
    pub(super) fn new(from: R) -> Receiver<R> {
        Receiver {
            from,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// The next message; none when the other side has closed between messages.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(message) = self.parse().map_err(io::Error::other)? {
                return Ok(Some(message));
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            self.buffer.reserve(READ_BYTES);
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.len() {
                    0 => Ok(None),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// A message that has arrived whole already.
    pub(super) fn buffered<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        self.parse().map_err(io::Error::other)
    }

    fn parse<T: DeserializeOwned>(&mut self) -> Result<Option<T>, CodecError> {
        let Some((header, rest)) = self.buffer[self.at..].split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let len = codec::frame_len(*header)?;
        let Some(payload) = rest.get(..len) else {
            return Ok(None);
        };
        let message = codec::decode(payload)?;
        self.at += HEADER + len;
        Ok(Some(message))
    }
}

/// Gathers messages and writes them together.
pub(super) struct Sender<W> {
    to: W,
    buffer: Vec<u8>,
    /// What of it is written.
    at: usize,
}

impl<W: AsyncWrite + Unpin> Sender<W> {
    pub(super) fn new(to: W) -> Sender<W> {
        Sender {
            to,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// Adds a message to the next write.
    pub(super) fn push(&mut self, message: &impl Serialize) -> Result<(), CodecError> {
        codec::write_frame(message, &mut self.buffer)
    }

    /// Whether the next write is large enough to go out.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= BATCH_BYTES
    }

    /// Whether everything is written.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Writes what was added.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while !self.is_empty() {
            self.write_some().await?;
        }
        Ok(())
    }

    /// Writes some of what was added. May be dropped at any time: nothing is
    /// written twice.
    pub(super) async fn write_some(&mut self) -> io::Result<()> {
        let written = self.to.write(&self.buffer[self.at..]).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.at += written;
        if self.at == self.buffer.len() {
            self.at = 0;
            self.buffer.clear();
            self.buffer.shrink_to(2 * BATCH_BYTES);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wasmhost_proto::limits::MAX_FRAME;

    fn read(bytes: &[u8]) -> (Vec<String>, Option<io::Error>) {
        let mut receiver = Receiver::new(bytes);
        let mut all = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            loop {
                match receiver.next().await {
                    Ok(Some(message)) => all.push(message),
                    Ok(None) => return (all, None),
                    Err(error) => return (all, Some(error)),
                }
            }
        })
    }

    #[test]
    fn messages_arrive_whole_or_not_at_all() {
        let mut sender = Sender::new(Vec::new());
        let sent = vec!["a".to_string(), "b".repeat(100_000), String::new()];
        for message in &sent {
            sender.push(message).unwrap();
        }
        let bytes = sender.buffer.clone();
        let (all, error) = read(&bytes);
        assert!(error.is_none());
        assert_eq!(all, sent);
        let (all, error) = read(&bytes[..bytes.len() - 1]);
        assert_eq!(all, sent[..2]);
        assert_eq!(error.unwrap().kind(), io::ErrorKind::UnexpectedEof);
        for bad in [
            &(MAX_FRAME as u32 + 1).to_be_bytes()[..],
            &[0, 0, 0, 1, 0xff],
            &[0, 0, 0, 2, 0x60, 0x60],
        ] {
            assert!(read(bad).1.is_some(), "{bad:?}");
        }
    }
}
