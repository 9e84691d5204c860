//! The data of jobs and of everybody, in memory: what a call comes to. Pure: it knows
//! neither who may call nor when a change is durable.

use crate::record::{DataWrite, RecoveredData, SpaceId};
use std::collections::BTreeMap;
use std::ops::Bound;
use wasmhost_proto::data::{DataOp, DataRefusal, DataReply, DataValue, Entry, Expect, Writer};
use wasmhost_proto::limits::{
    MAX_DATA, MAX_DATA_PAGE, MAX_DATA_PAGE_BYTES, MAX_DATA_SPACES, MAX_JOB_DATA, MAX_SPACE_DATA,
};
use wasmhost_proto::{JobId, Timestamp};

/// All spaces.
#[derive(Clone, Debug, Default)]
pub struct Data {
    spaces: BTreeMap<SpaceId, Space>,
    revision: u64,
    bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Space {
    entries: BTreeMap<String, Entry>,
    bytes: usize,
}

/// A public space as lists tell of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpaceSummary {
    /// Its name.
    pub name: String,
    /// Its entries.
    pub entries: usize,
    /// Bytes that they count as.
    pub bytes: usize,
}

/// What a call came to, and the change to be stored, if it made one.
pub type Done = (DataReply, Option<DataWrite>);

impl Data {
    /// The data that the store holds.
    pub fn recover(recovered: RecoveredData) -> Data {
        let mut data = Data {
            revision: recovered.revision,
            ..Data::default()
        };
        for (space, entry) in recovered.entries {
            data.put(&space, entry);
        }
        data
    }

    /// Carries a call out. A change is made at once; who asked is told when it is durable.
    pub fn call(&mut self, at: Timestamp, writer: Writer, id: &SpaceId, op: DataOp) -> Done {
        if let Some(why) = op.fault() {
            return (DataReply::Refused(DataRefusal::Invalid, why), None);
        }
        match op {
            DataOp::Get { key } | DataOp::Wait { key, .. } => {
                (DataReply::Entry(self.entry(id, &key).cloned()), None)
            }
            DataOp::List {
                prefix,
                after,
                limit,
            } => (self.list(id, &prefix, after.as_deref(), limit), None),
            // Not for what many share: the primary carries it out elsewhere.
            DataOp::Keep(_) | DataOp::Job(_) => {
                let why = "what a task keeps or submits is in no space".to_owned();
                (DataReply::Refused(DataRefusal::Invalid, why), None)
            }
            DataOp::Set { key, value, expect } => match self.unexpected(id, &key, expect) {
                Some(conflict) => (conflict, None),
                None => self.write(at, writer, id, key, value, DataReply::Written),
            },
            DataOp::Delete { key, expect } => match self.unexpected(id, &key, expect) {
                Some(conflict) => (conflict, None),
                None => (DataReply::Written(0), self.remove(id, key)),
            },
            DataOp::Add { key, by } => {
                let sum = match self.entry(id, &key).map(|entry| &entry.value) {
                    None => Some(by),
                    Some(DataValue::Int(number)) => number.checked_add(by),
                    Some(_) => None,
                };
                match sum {
                    None => {
                        let why =
                            format!("'{key}' holds no whole number that {by} can be added to");
                        (DataReply::Refused(DataRefusal::NotANumber, why), None)
                    }
                    Some(sum) => {
                        let said = |revision| DataReply::Sum(sum, revision);
                        self.write(at, writer, id, key, DataValue::Int(sum), said)
                    }
                }
            }
        }
    }

    /// The revision of what is there; 0 for nothing.
    pub fn revision_of(&self, id: &SpaceId, key: &str) -> u64 {
        self.entry(id, key).map_or(0, |entry| entry.revision)
    }

    /// Forgets a job's data. Whether there was any.
    pub fn remove_job(&mut self, job: JobId) -> bool {
        let space = self.spaces.remove(&SpaceId::Job(job));
        self.bytes -= space.as_ref().map_or(0, |space| space.bytes);
        space.is_some()
    }

    /// Whether any job has data.
    pub fn has_private(&self) -> bool {
        !self.spaces.is_empty() && self.jobs().next().is_some()
    }

    /// Jobs that have data.
    pub fn jobs(&self) -> impl Iterator<Item = JobId> {
        // They come first.
        self.spaces.keys().map_while(|id| match id {
            SpaceId::Job(job) => Some(*job),
            SpaceId::Public(_) => None,
        })
    }

    /// The public spaces that hold something, by name.
    pub fn public(&self) -> impl Iterator<Item = SpaceSummary> {
        self.spaces.iter().filter_map(|(id, space)| match id {
            SpaceId::Job(_) => None,
            SpaceId::Public(name) => Some(SpaceSummary {
                name: name.clone(),
                entries: space.entries.len(),
                bytes: space.bytes,
            }),
        })
    }

    /// What is there.
    pub fn entry(&self, id: &SpaceId, key: &str) -> Option<&Entry> {
        self.spaces.get(id)?.entries.get(key)
    }

    fn list(&self, id: &SpaceId, prefix: &str, after: Option<&str>, limit: u32) -> DataReply {
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let entries = self.spaces.get(id).into_iter();
        let entries =
            entries.flat_map(|space| space.entries.range::<str, _>((from, Bound::Unbounded)));
        let most = (limit as usize).clamp(1, MAX_DATA_PAGE);
        let (mut page, mut bytes) = (Vec::new(), 0);
        for (_, entry) in entries.take_while(|(key, _)| key.starts_with(prefix)) {
            bytes += entry.size();
            if page.len() == most || bytes > MAX_DATA_PAGE_BYTES {
                return DataReply::Page(page, true);
            }
            page.push(entry.clone());
        }
        DataReply::Page(page, false)
    }

    fn unexpected(&self, id: &SpaceId, key: &str, expect: Expect) -> Option<DataReply> {
        let found = self.revision_of(id, key);
        let meets = match expect {
            Expect::Any => true,
            Expect::Absent => found == 0,
            Expect::Revision(revision) => found == revision,
        };
        (!meets).then_some(DataReply::Conflict(found))
    }

    fn write(
        &mut self,
        at: Timestamp,
        writer: Writer,
        id: &SpaceId,
        key: String,
        value: DataValue,
        reply: impl FnOnce(u64) -> DataReply,
    ) -> Done {
        let entry = Entry {
            revision: self.revision + 1,
            key,
            value,
            at,
            writer,
        };
        if let Some(why) = self.lacks_room(id, &entry) {
            return (DataReply::Refused(DataRefusal::Full, why), None);
        }
        self.revision += 1;
        let said = reply(self.revision);
        let write = DataWrite {
            space: id.clone(),
            key: entry.key.clone(),
            entry: Some(entry.clone()),
            revision: self.revision,
        };
        self.put(id, entry);
        (said, Some(write))
    }

    fn lacks_room(&self, id: &SpaceId, entry: &Entry) -> Option<String> {
        let before = self.entry(id, &entry.key).map_or(0, Entry::size);
        let more = |bytes: usize| bytes - before + entry.size();
        let space = self.spaces.get(id);
        let most = match id {
            SpaceId::Job(_) => MAX_JOB_DATA,
            SpaceId::Public(_) => MAX_SPACE_DATA,
        };
        let new = space.is_none() && matches!(id, SpaceId::Public(_));
        if more(space.map_or(0, |space| space.bytes)) > most {
            return Some(format!(
                "{} has room for {most} bytes, and they are taken",
                name(id)
            ));
        }
        if more(self.bytes) > MAX_DATA {
            return Some(format!(
                "all data together may take {MAX_DATA} bytes, and does"
            ));
        }
        if new && self.public().count() >= MAX_DATA_SPACES {
            return Some(format!(
                "there are {MAX_DATA_SPACES} public spaces, and no more may be"
            ));
        }
        None
    }

    fn put(&mut self, id: &SpaceId, entry: Entry) {
        let size = entry.size();
        if !self.spaces.contains_key(id) {
            self.spaces.insert(id.clone(), Space::default());
        }
        let Some(space) = self.spaces.get_mut(id) else {
            return;
        };
        let before = space.entries.insert(entry.key.clone(), entry);
        let before = before.map_or(0, |entry| entry.size());
        space.bytes = space.bytes - before + size;
        self.bytes = self.bytes - before + size;
    }

    fn remove(&mut self, id: &SpaceId, key: String) -> Option<DataWrite> {
        let space = self.spaces.get_mut(id)?;
        let entry = space.entries.remove(&key)?;
        space.bytes -= entry.size();
        self.bytes -= entry.size();
        if space.entries.is_empty() {
            self.spaces.remove(id);
        }
        self.revision += 1;
        Some(DataWrite {
            space: id.clone(),
            key,
            entry: None,
            revision: self.revision,
        })
    }
}

fn name(id: &SpaceId) -> String {
    match id {
        SpaceId::Job(_) => "the private data of a job".into(),
        SpaceId::Public(name) => format!("the public space '{name}'"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
