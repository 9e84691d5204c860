//! Data as buckets of bytes, which is how components see it that were made for other
//! platforms. What `wasi:keyvalue` has in all its versions; `host/keyvalue.rs` gives it
//! their types. Decides nothing about who may: the primary does.

use crate::state::State;
use wasmhost_proto::data::{
    DataOp, DataRefusal, DataReply, DataValue, Entry, Expect, Space, space_fault,
};
use wasmhost_proto::limits::{MAX_BATCH_KEYS, MAX_DATA_PAGE, MAX_HOST_CALL_BYTES};

/// What other platforms call the bucket that is there without being asked for: the job's
/// private data.
const PRIVATE: [&str; 3] = ["private", "default", ""];
/// Before the name of a public space that is called like one of those.
const PUBLIC: &str = "public:";

/// An open bucket.
#[allow(unreachable_pub, reason = "the generated bindings name it")]
pub struct Bucket {
    space: Space,
    /// Of the listing under way by numbers: how many keys were given, and the last one.
    listed: Option<(u64, String)>,
}

/// What was under a key.
#[allow(unreachable_pub, reason = "the generated bindings name it")]
pub struct Cas {
    space: Space,
    key: String,
    revision: u64,
    value: Option<Vec<u8>>,
}

impl Cas {
    pub(crate) fn value(&self) -> Option<Vec<u8>> {
        self.value.clone()
    }
}

/// What all versions tell of a call that came to nothing.
#[derive(Debug, PartialEq)]
pub(crate) enum Fault {
    NoSuchStore,
    AccessDenied,
    Other(String),
}

impl Fault {
    pub(crate) fn other(why: impl ToString) -> Fault {
        Fault::Other(why.to_string())
    }
}

/// A write that was made, or the revision that stood in its way.
type Written = Result<(), u64>;
type Answer<T> = Result<T, Fault>;

impl Bucket {
    /// The bucket of a name.
    pub(crate) fn open(name: &str) -> Answer<Bucket> {
        let space = match name.strip_prefix(PUBLIC) {
            None if PRIVATE.contains(&name) => Space::Private,
            public => Space::Public(public.unwrap_or(name).to_owned()),
        };
        match &space {
            Space::Public(name) if space_fault(name).is_some() => Err(Fault::NoSuchStore),
            _ => Ok(Bucket {
                space,
                listed: None,
            }),
        }
    }

    pub(crate) fn space(&self) -> Space {
        self.space.clone()
    }

    /// The key after which a listing goes on that has given so many.
    pub(crate) fn listed(&self, given: Option<u64>) -> Answer<Option<String>> {
        match (given, &self.listed) {
            (None, _) => Ok(None),
            (Some(given), Some((known, key))) if given == *known => Ok(Some(key.clone())),
            _ => Err(Fault::other(
                "this cursor is of a listing that another one has followed",
            )),
        }
    }

    /// Remembers how far a listing came; the cursor that says so.
    pub(crate) fn list_on(&mut self, given: u64, last: Option<String>) -> Option<u64> {
        self.listed = last.map(|key| (given, key));
        self.listed.as_ref().map(|(given, _)| *given)
    }
}

impl State {
    async fn kv(&mut self, space: Space, op: DataOp) -> Answer<DataReply> {
        if let Some(why) = op.fault() {
            return Err(Fault::Other(why));
        }
        match self.controls.call(space, op).await {
            None => Err(Fault::other("the attempt is asked to stop")),
            Some(DataReply::Refused(DataRefusal::NotGranted, _)) => Err(Fault::AccessDenied),
            Some(DataReply::Refused(_, why)) => Err(Fault::Other(why)),
            Some(reply) => Ok(reply),
        }
    }

    async fn kv_entry(&mut self, space: Space, key: &str) -> Answer<Option<Entry>> {
        let key = key.to_owned();
        match self.kv(space, DataOp::Get { key }).await? {
            DataReply::Entry(entry) => Ok(entry),
            _ => Err(strange()),
        }
    }

    async fn kv_write(
        &mut self,
        space: Space,
        key: &str,
        value: DataValue,
        expect: Expect,
    ) -> Answer<Written> {
        let key = key.to_owned();
        match self.kv(space, DataOp::Set { key, value, expect }).await? {
            DataReply::Written(_) => Ok(Ok(())),
            DataReply::Conflict(revision) => Ok(Err(revision)),
            _ => Err(strange()),
        }
    }

    pub(crate) async fn kv_get(&mut self, space: Space, key: &str) -> Answer<Option<Vec<u8>>> {
        let entry = self.kv_entry(space, key).await?;
        Ok(entry.map(|entry| plain(entry.value)))
    }

    pub(crate) async fn kv_set(&mut self, space: Space, key: &str, value: Vec<u8>) -> Answer<()> {
        let value = DataValue::Bytes(value);
        match self.kv_write(space, key, value, Expect::Any).await? {
            Ok(()) => Ok(()),
            Err(_) => Err(strange()),
        }
    }

    pub(crate) async fn kv_delete(&mut self, space: Space, key: &str) -> Answer<()> {
        let (key, expect) = (key.to_owned(), Expect::Any);
        match self.kv(space, DataOp::Delete { key, expect }).await? {
            DataReply::Written(_) => Ok(()),
            _ => Err(strange()),
        }
    }

    /// Keys after one, and whether there are more.
    pub(crate) async fn kv_keys(
        &mut self,
        space: Space,
        after: Option<String>,
    ) -> Answer<(Vec<String>, bool)> {
        let list = DataOp::List {
            prefix: String::new(),
            after,
            limit: MAX_DATA_PAGE as u32,
        };
        match self.kv(space, list).await? {
            DataReply::Page(entries, more) => {
                Ok((entries.into_iter().map(|entry| entry.key).collect(), more))
            }
            _ => Err(strange()),
        }
    }

    /// Adds to a number. One that was written as text stays readable as text, and becomes
    /// a number with the first addition.
    pub(crate) async fn kv_add(&mut self, space: Space, key: &str, by: i64) -> Answer<i64> {
        loop {
            let add = DataOp::Add {
                key: key.to_owned(),
                by,
            };
            let refused = match self.kv(space.clone(), add).await {
                Ok(DataReply::Sum(sum, _)) => return Ok(sum),
                Ok(_) => return Err(strange()),
                Err(fault) => fault,
            };
            let entry = self.kv_entry(space.clone(), key).await?;
            let Some(entry) = entry.filter(|entry| !matches!(entry.value, DataValue::Int(_)))
            else {
                return Err(refused);
            };
            let expect = Expect::Revision(entry.revision);
            let text = String::from_utf8(plain(entry.value)).unwrap_or_default();
            let sum = text.trim().parse::<i64>().ok();
            let Some(sum) = sum.and_then(|number| number.checked_add(by)) else {
                return Err(refused);
            };
            let value = DataValue::Int(sum);
            // Whoever came in between has made progress: this ends.
            if let Ok(()) = self.kv_write(space.clone(), key, value, expect).await? {
                return Ok(sum);
            }
        }
    }

    pub(crate) async fn kv_cas(&mut self, space: Space, key: String) -> Answer<Cas> {
        let entry = self.kv_entry(space.clone(), &key).await?;
        Ok(Cas {
            space,
            key,
            revision: entry.as_ref().map_or(0, |entry| entry.revision),
            value: entry.map(|entry| plain(entry.value)),
        })
    }

    /// Writes if nothing has changed; else what is there now.
    pub(crate) async fn kv_swap(&mut self, cas: Cas, value: Vec<u8>) -> Answer<Result<(), Cas>> {
        let expect = match cas.revision {
            0 => Expect::Absent,
            revision => Expect::Revision(revision),
        };
        let value = DataValue::Bytes(value);
        let written = self.kv_write(cas.space.clone(), &cas.key, value, expect);
        match written.await? {
            Ok(()) => Ok(Ok(())),
            Err(_) => Ok(Err(self.kv_cas(cas.space, cas.key).await?)),
        }
    }

    /// The values of keys that have one, with their keys.
    pub(crate) async fn kv_get_many(
        &mut self,
        space: Space,
        keys: Vec<String>,
    ) -> Answer<Vec<Option<(String, Vec<u8>)>>> {
        few(keys.len())?;
        let mut found = Vec::with_capacity(keys.len());
        let mut bytes = 0;
        for key in keys {
            let value = self.kv_get(space.clone(), &key).await?;
            bytes += value.as_ref().map_or(0, Vec::len);
            if bytes > MAX_HOST_CALL_BYTES {
                let why = format!(
                    "the values of these keys have more than {MAX_HOST_CALL_BYTES} bytes: ask for fewer at once"
                );
                return Err(Fault::Other(why));
            }
            found.push(value.map(|value| (key, value)));
        }
        Ok(found)
    }

    pub(crate) async fn kv_set_many(
        &mut self,
        space: Space,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Answer<()> {
        few(entries.len())?;
        for (key, value) in entries {
            self.kv_set(space.clone(), &key, value).await?;
        }
        Ok(())
    }

    pub(crate) async fn kv_delete_many(&mut self, space: Space, keys: Vec<String>) -> Answer<()> {
        few(keys.len())?;
        for key in keys {
            self.kv_delete(space.clone(), &key).await?;
        }
        Ok(())
    }
}

fn few(keys: usize) -> Answer<()> {
    let why = || {
        Fault::Other(format!(
            "{keys} keys at once, and there may be {MAX_BATCH_KEYS}"
        ))
    };
    (keys <= MAX_BATCH_KEYS).then_some(()).ok_or_else(why)
}

fn strange() -> Fault {
    Fault::other("the primary gave another kind of answer")
}

/// A value as bytes: numbers and flags as people write them.
fn plain(value: DataValue) -> Vec<u8> {
    match value {
        DataValue::Bytes(bytes) => bytes,
        DataValue::Text(text) | DataValue::Json(text) => text.into_bytes(),
        DataValue::Int(number) => number.to_string().into_bytes(),
        DataValue::Float(number) => number.to_string().into_bytes(),
        DataValue::Flag(flag) => flag.to_string().into_bytes(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets() {
        let public = |name: &str| Ok(Space::Public(name.into()));
        for (name, want) in [
            ("private", Ok(Space::Private)),
            ("default", Ok(Space::Private)),
            ("", Ok(Space::Private)),
            ("orders", public("orders")),
            ("public", public("public")),
            ("public:orders", public("orders")),
            ("public:default", public("default")),
            ("public:", Err(Fault::NoSuchStore)),
            ("a b", Err(Fault::NoSuchStore)),
            ("private:orders", Err(Fault::NoSuchStore)),
        ] {
            let got = Bucket::open(name).map(|bucket| bucket.space());
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_listing_by_numbers_goes_on_where_it_was() {
        let mut bucket = Bucket::open("orders").unwrap();
        assert_eq!(bucket.listed(None), Ok(None));
        assert!(bucket.listed(Some(3)).is_err());
        assert_eq!(bucket.list_on(3, Some("c".into())), Some(3));
        assert_eq!(bucket.listed(Some(3)), Ok(Some("c".into())));
        assert!(bucket.listed(Some(2)).is_err());
        assert_eq!(bucket.list_on(5, None), None);
        assert!(bucket.listed(Some(3)).is_err());
    }
}
