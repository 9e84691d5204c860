//! The way of large checkpoints and of large parts of outputs: a blob is stored before the
//! call that names it goes on, and fetched before the answer that names it does.

use super::driver::Cause;
use super::files::{FileCache, Remove, Uplinks, persist};
use super::runs::Key;
use sha2::{Digest as _, Sha256};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;
use wasmhost_core::worker::Event;
use wasmhost_proto::Digest;
use wasmhost_proto::data::{DataAnswer, DataCall, DataOp, DataRefusal, DataReply};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::keep::{Keep, Kept, checkpoint_body, checkpoint_head};
use wasmhost_proto::limits::{MAX_CHECKPOINT, MAX_INLINE, MAX_REQUEST};
use wasmhost_proto::wire::ResultData;

/// What moving blobs needs.
#[derive(Clone)]
pub(super) struct Carrier {
    pub(super) files: Arc<FileCache>,
    pub(super) uplinks: Uplinks,
    pub(super) causes: mpsc::Sender<Cause>,
}

/// The bytes of a call that do not travel in it.
fn large(call: &mut DataCall) -> Option<Vec<u8>> {
    let DataOp::Keep(keep) = &mut call.op else {
        return None;
    };
    let bytes = keep.bytes_mut()?;
    (bytes.len() > MAX_INLINE).then(|| std::mem::take(bytes))
}

impl Carrier {
    /// Passes a call on, once what it brings is stored. It ends by itself: a transfer is
    /// given up after a while. A call of an attempt that has ended meanwhile is dropped.
    pub(super) fn call(&self, mut call: Box<DataCall>) -> Option<Event> {
        let Some(bytes) = large(&mut call) else {
            return Some(Event::Data(call));
        };
        let mut carrier = self.clone();
        tokio::spawn(async move {
            let cause = match carrier.store(&call, bytes).await {
                Ok(blob) => {
                    if let DataOp::Keep(keep) = &mut call.op
                        && let Some(content) = keep.content_mut()
                    {
                        *content = ResultData::Blob(blob);
                    }
                    Cause::Core(Event::Data(call))
                }
                Err(why) => {
                    let why = format!("it could not be stored: {why}");
                    let reply = DataReply::Refused(DataRefusal::Unreachable, why);
                    Cause::Answer((call.task, call.lease), call.call, reply)
                }
            };
            let _ = carrier.causes.send(cause).await;
        });
        None
    }

    async fn store(&mut self, call: &DataCall, bytes: Vec<u8>) -> Result<BlobRef, String> {
        let content = match &call.op {
            DataOp::Keep(keep) if matches!(**keep, Keep::Save(_)) => {
                let head = checkpoint_head(call.task, call.lease, call.call);
                [head.as_bytes(), &bytes].concat()
            }
            _ => bytes,
        };
        let blob = BlobRef {
            digest: Digest(Sha256::digest(&content).into()),
            len: content.len() as u64,
        };
        let path = self.files.passing(blob.digest);
        tokio::fs::write(&path, content)
            .await
            .map_err(|e| e.to_string())?;
        let file = Remove(path);
        let stored = persist(&mut self.uplinks, |uplink| {
            let (blob, file) = (&blob, &file.0);
            async move { uplink.push(blob, file).await }
        });
        stored.await.map_err(|e| e.to_string())?;
        Ok(blob)
    }

    /// Passes an answer on, once what it names is here.
    pub(super) fn answer(&self, answer: DataAnswer) -> Option<(Key, u64, DataReply)> {
        let (key, call) = ((answer.task, answer.lease), answer.call);
        let blob = match &answer.reply {
            DataReply::Kept(kept) => match &**kept {
                Kept::Checkpoint(Some(ResultData::Blob(blob))) => blob.clone(),
                _ => return Some((key, call, answer.reply)),
            },
            _ => return Some((key, call, answer.reply)),
        };
        let mut carrier = self.clone();
        tokio::spawn(async move {
            let reply = match carrier.fetch(key, &blob).await {
                Ok(bytes) => {
                    let found = Kept::Checkpoint(Some(ResultData::Inline(bytes)));
                    DataReply::Kept(Box::new(found))
                }
                Err(why) => {
                    let why = format!("the checkpoint could not be fetched: {why}");
                    DataReply::Refused(DataRefusal::Unreachable, why)
                }
            };
            let answer = Cause::Answer(key, call, reply);
            let _ = carrier.causes.send(answer).await;
        });
        None
    }

    async fn fetch(&mut self, (task, _): Key, blob: &BlobRef) -> Result<Vec<u8>, String> {
        let most = (MAX_CHECKPOINT + MAX_REQUEST) as u64;
        if blob.len > most {
            return Err(format!("it has {} bytes", blob.len));
        }
        let held = self.files.get(blob, &mut self.uplinks).await;
        let held = held.map_err(|e| e.to_string())?;
        let bytes = read(&held.path()).await?;
        let body = checkpoint_body(task, &bytes).ok_or("it is another's")?;
        Ok(body.to_vec())
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(path).await.map_err(|e| e.to_string())
}
