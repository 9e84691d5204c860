//! The guest's standard output and error: never blocked, bounded, and ended by
//! a trap at the bound, so that a guest which ignores errors is stopped too.

use super::{Board, Halt, Stream};
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// What one write may carry, as wasmtime's own pipes.
const PERMIT: usize = 64 << 10;

/// Where the bytes go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// The attempt's output.
    Output,
    /// The attempt's log.
    Log(Stream),
}

#[derive(Clone)]
pub(crate) struct Pipe {
    board: Board,
    target: Target,
}

impl Pipe {
    pub(crate) fn new(board: Board, target: Target) -> Pipe {
        Pipe { board, target }
    }

    fn put(&self, bytes: &[u8]) -> Result<(), Halt> {
        match self.target {
            Target::Output => self.board.output(bytes),
            Target::Log(stream) => self.board.log_bytes(stream, bytes),
        }
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes)
            .map_err(|halt| StreamError::Trap(halt.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(
            self.put(bytes)
                .map(|()| bytes.len())
                .map_err(io::Error::other),
        )
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
