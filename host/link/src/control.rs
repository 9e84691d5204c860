//! The control stream: frames of messages in order, ahead of all blobs. What
//! is no frame closes the connection with a reason; a frame is never held in
//! memory beyond its bound.

use crate::error::LinkError;
use crate::transport::code;
use bytes::{Buf, BytesMut};
use quinn::{Connection, ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use wasmhost_proto::codec;
use wasmhost_proto::limits::{FRAME_MS, MAX_CLOSE_REASON};

/// The control stream goes before blobs, which have quinn's default of 0.
pub(crate) const CONTROL_PRIORITY: i32 = 1;
/// Bytes taken from the stream at once.
const READ: usize = 64 << 10;

/// A hold on a connection. The connection closes when the last hold, sender
/// and receiver of it are dropped.
#[derive(Clone)]
pub struct LinkHandle(Arc<Guard>);

struct Guard(Connection);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.close(code::DONE, b"done");
    }
}

impl LinkHandle {
    pub(crate) fn new(connection: Connection) -> LinkHandle {
        LinkHandle(Arc::new(Guard(connection)))
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.0.0
    }

    /// Closes the connection; the other side reads the reason, cut to
    /// [`MAX_CLOSE_REASON`] bytes. Without effect when it is closed already.
    pub fn close(&self, reason: &str) {
        self.close_with(code::DONE, reason);
    }

    pub(crate) fn close_with(&self, code: VarInt, reason: &str) {
        close(self.connection(), code, reason);
    }

    /// Waits until the connection is closed, and says why.
    pub async fn closed(&self) -> LinkError {
        self.connection().closed().await.into()
    }

    /// The other side's address.
    pub fn remote(&self) -> SocketAddr {
        self.connection().remote_address()
    }

    /// Closes because of what the other side sent, and logs it.
    fn protocol(&self, why: String) -> LinkError {
        tracing::warn!(remote = %self.remote(), "closed the connection: the other side broke the protocol: {why}");
        self.close_with(code::PROTOCOL, &why);
        LinkError::Protocol(why)
    }
}

/// Closes with a reason that fits a datagram.
pub(crate) fn close(connection: &Connection, code: VarInt, reason: &str) {
    let mut end = reason.len().min(MAX_CLOSE_REASON);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    connection.close(code, &reason.as_bytes()[..end]);
}

/// A peer's close reason as text for a log or terminal: nothing in it acts.
pub(crate) fn reason(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_CLOSE_REASON)]);
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl From<ConnectionError> for LinkError {
    fn from(error: ConnectionError) -> LinkError {
        match error {
            ConnectionError::ApplicationClosed(close) => LinkError::Closed(reason(&close.reason)),
            ConnectionError::LocallyClosed => LinkError::Ended,
            ConnectionError::TimedOut => LinkError::Lost("nothing was heard for too long".into()),
            ConnectionError::Reset => LinkError::Lost("the other side has restarted".into()),
            other => LinkError::Lost(other.to_string()),
        }
    }
}

impl From<ReadError> for LinkError {
    fn from(error: ReadError) -> LinkError {
        match error {
            ReadError::ConnectionLost(error) => error.into(),
            ReadError::Reset(_) => LinkError::Protocol("it abandoned a stream".into()),
            other => LinkError::Lost(other.to_string()),
        }
    }
}

impl From<WriteError> for LinkError {
    fn from(error: WriteError) -> LinkError {
        match error {
            WriteError::ConnectionLost(error) => error.into(),
            WriteError::Stopped(_) => LinkError::Protocol("it stopped reading a stream".into()),
            other => LinkError::Lost(other.to_string()),
        }
    }
}

/// Sends frames in order.
pub struct FrameSender<T> {
    stream: SendStream,
    handle: LinkHandle,
    buffer: Vec<u8>,
    frame: PhantomData<fn(T)>,
}

impl<T: Serialize> FrameSender<T> {
    pub(crate) fn new(stream: SendStream, handle: LinkHandle) -> FrameSender<T> {
        FrameSender {
            stream,
            handle,
            buffer: Vec::new(),
            frame: PhantomData,
        }
    }

    /// Sends one frame; waits while the other side does not read, up to
    /// [`FRAME_MS`], after which the connection is closed. Not to be dropped
    /// midway: half a frame would remain.
    ///
    /// # Errors
    /// [`LinkError::TooLarge`] leaves the connection as it is: send the frame
    /// in parts. Any other error means that the connection is gone.
    pub async fn send(&mut self, frame: &T) -> Result<(), LinkError> {
        self.buffer.clear();
        codec::write_frame(frame, &mut self.buffer).map_err(|error| match error {
            codec::CodecError::TooLarge(len) => LinkError::TooLarge(len),
            other => LinkError::Protocol(other.to_string()),
        })?;
        match timeout(
            Duration::from_millis(FRAME_MS),
            self.stream.write_all(&self.buffer),
        )
        .await
        {
            Ok(result) => Ok(result?),
            Err(_) => Err(self
                .handle
                .protocol(format!("it did not read for {FRAME_MS} ms"))),
        }
    }

    /// Ends the stream and waits a little until the other side has all of it.
    pub async fn finish(mut self) {
        let _ = self.stream.finish();
        let _ = timeout(Duration::from_millis(FRAME_MS), self.stream.stopped()).await;
    }

    /// A hold on the connection.
    pub fn handle(&self) -> &LinkHandle {
        &self.handle
    }
}

/// Receives frames in order.
pub struct FrameReceiver<T> {
    stream: RecvStream,
    handle: LinkHandle,
    buffer: BytesMut,
    /// When the frame that has begun to arrive must be there.
    deadline: Option<Instant>,
    frame: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> FrameReceiver<T> {
    pub(crate) fn new(stream: RecvStream, handle: LinkHandle) -> FrameReceiver<T> {
        FrameReceiver {
            stream,
            handle,
            buffer: BytesMut::new(),
            deadline: None,
            frame: PhantomData,
        }
    }

    /// Waits for one frame. May be dropped at any await: nothing is lost.
    ///
    /// # Errors
    /// The connection is gone, or the other side sent what is no frame, or
    /// half a frame for longer than [`FRAME_MS`]: then this closes it.
    pub async fn recv(&mut self) -> Result<T, LinkError> {
        loop {
            match self.parse() {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => return Err(self.handle.protocol(error.to_string())),
            }
            let read = self.stream.read_chunk(READ, true);
            let chunk = match self.deadline {
                None => read.await,
                Some(deadline) => match timeout_at(deadline, read).await {
                    Ok(chunk) => chunk,
                    Err(_) => {
                        return Err(self
                            .handle
                            .protocol(format!("half a frame for {FRAME_MS} ms")));
                    }
                },
            };
            match chunk {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk.bytes),
                // The control stream lives as long as the connection: wait for the reason.
                Ok(None) => return Err(self.end().await),
                Err(ReadError::Reset(_)) => return Err(self.end().await),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The other side ended the control stream, as it does when it goes: its
    /// reason is on the way.
    async fn end(&mut self) -> LinkError {
        match timeout(Duration::from_millis(FRAME_MS), self.handle.closed()).await {
            Ok(reason) => reason,
            Err(_) => self.handle.protocol("it ended the control stream".into()),
        }
    }

    fn parse(&mut self) -> Result<Option<T>, codec::CodecError> {
        let len = match self.buffer.first_chunk() {
            Some(header) => codec::frame_len(*header)?,
            None => 0,
        };
        if self.buffer.len() < codec::HEADER + len {
            let begun = !self.buffer.is_empty();
            self.deadline = self
                .deadline
                .or(begun.then(|| Instant::now() + Duration::from_millis(FRAME_MS)));
            return Ok(None);
        }
        self.deadline = None;
        self.buffer.advance(codec::HEADER);
        codec::decode(&self.buffer.split_to(len)).map(Some)
    }

    /// A hold on the connection.
    pub fn handle(&self) -> &LinkHandle {
        &self.handle
    }
}
