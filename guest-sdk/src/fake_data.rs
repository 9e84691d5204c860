//! The data of a [`Fake`](crate::testing::Fake): in memory, with the platform's rules for
//! revisions, and without its bounds. Nobody else changes it, so waits end at once.

use crate::data::{DataError, Datum, Entry, Expect};
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// All spaces; the private one has no name.
#[derive(Default)]
pub(crate) struct FakeData {
    entries: BTreeMap<(Option<String>, String), Entry>,
    revision: u64,
    /// Public spaces in which the job publishes.
    pub(crate) publishes: BTreeSet<String>,
}

type Answer<T> = Result<T, DataError>;

impl FakeData {
    fn find(&self, space: Option<&str>, key: &str) -> Option<&Entry> {
        self.entries
            .get(&(space.map(str::to_owned), key.to_owned()))
    }

    fn may_change(&self, space: Option<&str>, key: &str, expect: Expect) -> Answer<()> {
        if let Some(name) = space.filter(|name| !self.publishes.contains(*name)) {
            let why = format!("the job does not publish in the space '{name}'");
            return Err(DataError::NotGranted(why));
        }
        let found = self.find(space, key).map_or(0, |entry| entry.revision);
        let meets = match expect {
            Expect::Any => true,
            Expect::Absent => found == 0,
            Expect::Revision(revision) => found == revision,
        };
        match meets {
            true => Ok(()),
            false => Err(DataError::Conflict(found)),
        }
    }

    pub(crate) fn get(&self, space: Option<&str>, key: &str) -> Option<Entry> {
        self.find(space, key).cloned()
    }

    pub(crate) fn set(
        &mut self,
        space: Option<&str>,
        key: &str,
        value: Datum,
        expect: Expect,
    ) -> Answer<u64> {
        self.may_change(space, key, expect)?;
        self.revision += 1;
        let entry = Entry {
            key: key.to_owned(),
            value,
            revision: self.revision,
        };
        let at = (space.map(str::to_owned), key.to_owned());
        self.entries.insert(at, entry);
        Ok(self.revision)
    }

    pub(crate) fn delete(&mut self, space: Option<&str>, key: &str, expect: Expect) -> Answer<()> {
        self.may_change(space, key, expect)?;
        self.revision += 1;
        let at = (space.map(str::to_owned), key.to_owned());
        self.entries.remove(&at);
        Ok(())
    }

    pub(crate) fn add(&mut self, space: Option<&str>, key: &str, by: i64) -> Answer<i64> {
        let sum = match self.find(space, key).map(|entry| &entry.value) {
            None => Some(by),
            Some(Datum::Value(Value::Int(number))) => number.checked_add(by),
            Some(_) => None,
        };
        let no_number = || DataError::NotANumber(format!("'{key}' holds no such whole number"));
        let sum = sum.ok_or_else(no_number)?;
        self.set(space, key, Datum::Value(Value::Int(sum)), Expect::Any)?;
        Ok(sum)
    }

    pub(crate) fn page(
        &self,
        space: Option<&str>,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> (Vec<Entry>, bool) {
        let wanted = |((of, key), _): &(&(Option<String>, String), &Entry)| {
            of.as_deref() == space
                && key.starts_with(prefix)
                && after.is_none_or(|after| key.as_str() > after)
        };
        let mut all = self.entries.iter().filter(wanted).map(|(_, entry)| entry);
        let page = all.by_ref().take(limit as usize).cloned().collect();
        (page, all.next().is_some())
    }
}
