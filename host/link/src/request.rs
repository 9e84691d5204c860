//! One small message at a time on a stream: the requests and answers that
//! open blob streams, renewals and joins.

use crate::error::LinkError;
use quinn::{ReadExactError, RecvStream, SendStream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::timeout;
use wasmhost_proto::codec;
use wasmhost_proto::limits::MAX_REQUEST;

/// Sends one message.
pub(crate) async fn send<T: Serialize>(
    stream: &mut SendStream,
    message: &T,
) -> Result<(), LinkError> {
    let mut bytes = Vec::new();
    codec::write_frame(message, &mut bytes).map_err(|e| LinkError::Protocol(e.to_string()))?;
    Ok(stream.write_all(&bytes).await?)
}

/// Receives one message of at most [`MAX_REQUEST`] bytes within `ms` milliseconds.
pub(crate) async fn receive<T: DeserializeOwned>(
    stream: &mut RecvStream,
    ms: u64,
) -> Result<T, LinkError> {
    let read = async {
        let mut header = [0; codec::HEADER];
        stream.read_exact(&mut header).await.map_err(cut_off)?;
        let len = u32::from_be_bytes(header) as usize;
        if len > MAX_REQUEST {
            return Err(LinkError::Protocol(format!(
                "a request of {len} bytes is over the limit of {MAX_REQUEST}"
            )));
        }
        let mut bytes = vec![0; len];
        stream.read_exact(&mut bytes).await.map_err(cut_off)?;
        codec::decode(&bytes).map_err(|e| LinkError::Protocol(e.to_string()))
    };
    match timeout(Duration::from_millis(ms), read).await {
        Ok(result) => result,
        Err(_) => Err(LinkError::Lost(format!("no answer within {ms} ms"))),
    }
}

fn cut_off(error: ReadExactError) -> LinkError {
    match error {
        ReadExactError::FinishedEarly(_) => {
            LinkError::Protocol("a stream ended within a message".into())
        }
        ReadExactError::ReadError(error) => error.into(),
    }
}
