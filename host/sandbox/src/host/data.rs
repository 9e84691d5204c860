//! `wasmhost:task/private-data` and `public-data`: calls on the primary's data. A call
//! that waits holds no thread.

use super::wasmhost::task::{data_types as guest, private_data, public_data};
use crate::state::State;
use wasmhost_proto::data::{DataOp, DataRefusal, DataReply, DataValue, Entry, Expect, Space};

type Answer<T> = Result<T, guest::Error>;

impl State {
    async fn data(&mut self, space: Space, op: DataOp) -> Answer<DataReply> {
        // What makes no sense does not travel.
        if let Some(why) = op.fault() {
            return Err(guest::Error::Invalid(why));
        }
        match self.controls.call(space, op).await {
            None => Err(guest::Error::Stopped),
            Some(DataReply::Conflict(revision)) => Err(guest::Error::Conflict(revision)),
            Some(DataReply::Refused(kind, why)) => Err(match kind {
                DataRefusal::NotGranted => guest::Error::NotGranted(why),
                DataRefusal::Full => guest::Error::Full(why),
                DataRefusal::Invalid => guest::Error::Invalid(why),
                DataRefusal::NotANumber => guest::Error::NotANumber(why),
                DataRefusal::Unreachable => guest::Error::Invalid(why),
            }),
            Some(reply) => Ok(reply),
        }
    }

    async fn data_get(&mut self, space: Space, key: String) -> Answer<Option<guest::Entry>> {
        entry(self.data(space, DataOp::Get { key }).await?)
    }

    async fn data_set(
        &mut self,
        space: Space,
        key: String,
        value: guest::Value,
        expect: guest::Expect,
    ) -> Answer<u64> {
        let (value, expect) = (value.into(), expect.into());
        match self.data(space, DataOp::Set { key, value, expect }).await? {
            DataReply::Written(revision) => Ok(revision),
            _ => Err(strange()),
        }
    }

    async fn data_delete(
        &mut self,
        space: Space,
        key: String,
        expect: guest::Expect,
    ) -> Answer<()> {
        let expect = expect.into();
        match self.data(space, DataOp::Delete { key, expect }).await? {
            DataReply::Written(_) => Ok(()),
            _ => Err(strange()),
        }
    }

    async fn data_add(&mut self, space: Space, key: String, by: i64) -> Answer<i64> {
        match self.data(space, DataOp::Add { key, by }).await? {
            DataReply::Sum(sum, _) => Ok(sum),
            _ => Err(strange()),
        }
    }

    async fn data_page(
        &mut self,
        space: Space,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<guest::Page> {
        let list = DataOp::List {
            prefix,
            after,
            limit,
        };
        match self.data(space, list).await? {
            DataReply::Page(entries, more) => Ok(guest::Page {
                entries: entries.into_iter().map(guest::Entry::from).collect(),
                more,
            }),
            _ => Err(strange()),
        }
    }

    async fn data_wait(
        &mut self,
        space: Space,
        key: String,
        known: u64,
        timeout_ms: u64,
    ) -> Answer<Option<guest::Entry>> {
        let wait = DataOp::Wait {
            key,
            known,
            timeout_ms,
        };
        entry(self.data(space, wait).await?)
    }
}

fn entry(reply: DataReply) -> Answer<Option<guest::Entry>> {
    match reply {
        DataReply::Entry(entry) => Ok(entry.map(guest::Entry::from)),
        _ => Err(strange()),
    }
}

fn strange() -> guest::Error {
    guest::Error::Invalid("the primary gave another kind of answer".into())
}

impl guest::Host for State {}

impl private_data::Host for State {
    async fn get(&mut self, key: String) -> Answer<Option<guest::Entry>> {
        self.data_get(Space::Private, key).await
    }

    async fn set(
        &mut self,
        key: String,
        value: guest::Value,
        expect: guest::Expect,
    ) -> Answer<u64> {
        self.data_set(Space::Private, key, value, expect).await
    }

    async fn delete(&mut self, key: String, expect: guest::Expect) -> Answer<()> {
        self.data_delete(Space::Private, key, expect).await
    }

    async fn add(&mut self, key: String, by: i64) -> Answer<i64> {
        self.data_add(Space::Private, key, by).await
    }

    async fn entries(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<guest::Page> {
        self.data_page(Space::Private, prefix, after, limit).await
    }

    async fn wait(
        &mut self,
        key: String,
        known: u64,
        timeout_ms: u64,
    ) -> Answer<Option<guest::Entry>> {
        self.data_wait(Space::Private, key, known, timeout_ms).await
    }
}

impl public_data::Host for State {
    async fn get(&mut self, space: String, key: String) -> Answer<Option<guest::Entry>> {
        self.data_get(Space::Public(space), key).await
    }

    async fn set(
        &mut self,
        space: String,
        key: String,
        value: guest::Value,
        expect: guest::Expect,
    ) -> Answer<u64> {
        self.data_set(Space::Public(space), key, value, expect)
            .await
    }

    async fn delete(&mut self, space: String, key: String, expect: guest::Expect) -> Answer<()> {
        self.data_delete(Space::Public(space), key, expect).await
    }

    async fn add(&mut self, space: String, key: String, by: i64) -> Answer<i64> {
        self.data_add(Space::Public(space), key, by).await
    }

    async fn entries(
        &mut self,
        space: String,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<guest::Page> {
        self.data_page(Space::Public(space), prefix, after, limit)
            .await
    }

    async fn wait(
        &mut self,
        space: String,
        key: String,
        known: u64,
        timeout_ms: u64,
    ) -> Answer<Option<guest::Entry>> {
        self.data_wait(Space::Public(space), key, known, timeout_ms)
            .await
    }
}

impl From<guest::Value> for DataValue {
    fn from(value: guest::Value) -> DataValue {
        match value {
            guest::Value::Text(text) => DataValue::Text(text),
            guest::Value::Int(number) => DataValue::Int(number),
            guest::Value::Float(number) => DataValue::Float(number),
            guest::Value::Flag(flag) => DataValue::Flag(flag),
            guest::Value::Json(json) => DataValue::Json(json),
            guest::Value::Bytes(bytes) => DataValue::Bytes(bytes),
        }
    }
}

impl From<DataValue> for guest::Value {
    fn from(value: DataValue) -> guest::Value {
        match value {
            DataValue::Text(text) => guest::Value::Text(text),
            DataValue::Int(number) => guest::Value::Int(number),
            DataValue::Float(number) => guest::Value::Float(number),
            DataValue::Flag(flag) => guest::Value::Flag(flag),
            DataValue::Json(json) => guest::Value::Json(json),
            DataValue::Bytes(bytes) => guest::Value::Bytes(bytes),
        }
    }
}

impl From<Entry> for guest::Entry {
    fn from(entry: Entry) -> guest::Entry {
        guest::Entry {
            key: entry.key,
            value: entry.value.into(),
            revision: entry.revision,
        }
    }
}

impl From<guest::Expect> for Expect {
    fn from(expect: guest::Expect) -> Expect {
        match expect {
            guest::Expect::Any => Expect::Any,
            guest::Expect::Absent => Expect::Absent,
            guest::Expect::Revision(revision) => Expect::Revision(revision),
        }
    }
}
