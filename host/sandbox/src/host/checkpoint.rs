//! `wasmhost:task/checkpoint`: what one attempt leaves to the next.

use super::wasmhost::task::checkpoint;
use crate::state::State;
use wasmhost_proto::data::{DataOp, DataReply, Space};
use wasmhost_proto::keep::{Keep, Kept};
use wasmhost_proto::wire::ResultData;

impl State {
    /// Asks the primary to keep something, or for what it keeps.
    pub(crate) async fn keep(&mut self, keep: Keep) -> Result<Kept, String> {
        // What makes no sense does not travel.
        if let Some(why) = keep.fault() {
            return Err(why);
        }
        let op = DataOp::Keep(Box::new(keep));
        match self.controls.call(Space::Task, op).await {
            None => Err("this attempt is asked to stop".into()),
            Some(DataReply::Kept(kept)) => Ok(*kept),
            Some(DataReply::Refused(_, why)) => Err(why),
            Some(_) => Err(strange()),
        }
    }
}

fn strange() -> String {
    "the primary gave another kind of answer".into()
}

impl checkpoint::Host for State {
    async fn save(&mut self, data: Vec<u8>) -> Result<(), String> {
        match self.keep(Keep::Save(ResultData::Inline(data))).await? {
            Kept::Saved => Ok(()),
            Kept::Checkpoint(_) => Err(strange()),
        }
    }

    async fn load(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self.keep(Keep::Load).await? {
            Kept::Checkpoint(None) => Ok(None),
            Kept::Checkpoint(Some(ResultData::Inline(bytes))) => Ok(Some(bytes)),
            Kept::Checkpoint(Some(ResultData::Blob(_))) | Kept::Saved => Err(strange()),
        }
    }
}
