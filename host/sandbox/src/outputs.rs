//! The outputs of an attempt on their way out: what is written gathers until it is worth a
//! call, or has waited. Bounds are those of [`wasmhost_proto::limits`], held again by the
//! primary.

use crate::state::State;
use std::time::{Duration, Instant};
use wasmhost_proto::keep::{Keep, Kept};
use wasmhost_proto::limits::{
    MAX_OUTPUT_BYTES, MAX_OUTPUT_PART, MAX_OUTPUT_PARTS, MAX_OUTPUTS, OUTPUT_FLUSH_MS,
};
use wasmhost_proto::wire::ResultData;

/// All of an attempt.
#[derive(Default)]
pub(crate) struct Outputs {
    streams: Vec<Stream>,
    /// Bytes written to all of them.
    bytes: u64,
}

struct Stream {
    buffer: Vec<u8>,
    /// Parts that were sent.
    parts: u32,
    sent: Instant,
    closed: bool,
}

impl Stream {
    /// The next part, if it is time for one.
    fn take(&mut self, all: bool) -> Option<Vec<u8>> {
        if self.buffer.len() >= MAX_OUTPUT_PART {
            let rest = self.buffer.split_off(MAX_OUTPUT_PART);
            return Some(std::mem::replace(&mut self.buffer, rest));
        }
        let early = all && self.parts < MAX_OUTPUT_PARTS / 2;
        (early && !self.buffer.is_empty()).then(|| std::mem::take(&mut self.buffer))
    }
}

impl State {
    /// Begins an output, and gives its number.
    pub(crate) async fn create_output(
        &mut self,
        name: String,
        content_type: String,
    ) -> Result<u32, String> {
        if self.outputs.streams.len() >= MAX_OUTPUTS {
            return Err(format!("an attempt has up to {MAX_OUTPUTS} outputs"));
        }
        let output = self.outputs.streams.len() as u32;
        self.send(Keep::Create {
            output,
            name,
            content_type,
        })
        .await?;
        self.outputs.streams.push(Stream {
            buffer: Vec::new(),
            parts: 0,
            sent: Instant::now(),
            closed: false,
        });
        Ok(output)
    }

    /// Adds bytes to an output.
    pub(crate) async fn write_output(&mut self, output: u32, data: &[u8]) -> Result<(), String> {
        let bytes = self.outputs.bytes + data.len() as u64;
        let stream = self.open_output(output)?;
        stream.buffer.extend_from_slice(data);
        let waited = stream.sent.elapsed() >= Duration::from_millis(OUTPUT_FLUSH_MS);
        if bytes > MAX_OUTPUT_BYTES {
            stream.buffer.truncate(stream.buffer.len() - data.len());
            return Err(format!(
                "the outputs of an attempt have up to {MAX_OUTPUT_BYTES} bytes together"
            ));
        }
        self.outputs.bytes = bytes;
        self.send_parts(output, waited).await
    }

    /// Sends what an output has gathered.
    pub(crate) async fn flush_output(&mut self, output: u32) -> Result<(), String> {
        self.open_output(output)?;
        self.send_parts(output, true).await
    }

    /// Ends an output.
    pub(crate) async fn close_output(&mut self, output: u32) -> Result<(), String> {
        self.open_output(output)?;
        self.send_all(output).await?;
        self.send(Keep::Close { output }).await?;
        self.open_output(output)?.closed = true;
        Ok(())
    }

    /// Sends what the guest has left unsent at its end.
    pub(crate) async fn finish_outputs(&mut self) -> Result<(), String> {
        for output in 0..self.outputs.streams.len() as u32 {
            self.send_all(output).await?;
        }
        Ok(())
    }

    fn open_output(&mut self, output: u32) -> Result<&mut Stream, String> {
        match self.outputs.streams.get_mut(output as usize) {
            None => Err(format!("there is no output {output}")),
            Some(stream) if stream.closed => Err(format!("output {output} is closed")),
            Some(stream) => Ok(stream),
        }
    }

    async fn send_parts(&mut self, output: u32, all: bool) -> Result<(), String> {
        while let Some(stream) = self.outputs.streams.get_mut(output as usize)
            && let Some(bytes) = stream.take(all)
        {
            self.send_part(output, bytes).await?;
        }
        Ok(())
    }

    /// The last part, too, when there are already many.
    async fn send_all(&mut self, output: u32) -> Result<(), String> {
        self.send_parts(output, true).await?;
        let stream = self.outputs.streams.get_mut(output as usize);
        match stream.map(|stream| std::mem::take(&mut stream.buffer)) {
            Some(bytes) if !bytes.is_empty() => self.send_part(output, bytes).await,
            _ => Ok(()),
        }
    }

    async fn send_part(&mut self, output: u32, bytes: Vec<u8>) -> Result<(), String> {
        let Some(stream) = self.outputs.streams.get_mut(output as usize) else {
            return Ok(());
        };
        let part = stream.parts;
        stream.parts += 1;
        stream.sent = Instant::now();
        let content = ResultData::Inline(bytes);
        self.send(Keep::Append {
            output,
            part,
            content,
        })
        .await
    }

    async fn send(&mut self, keep: Keep) -> Result<(), String> {
        match self.keep(keep).await? {
            Kept::Saved => Ok(()),
            Kept::Checkpoint(_) => Err("the primary gave another kind of answer".into()),
        }
    }
}
