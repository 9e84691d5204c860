//! Recorded ends in blocks: reading by task, and changes merged into the rows.
//!
//! Blocks do not overlap; each row's key is that of its block's first member. A
//! commit's changes are sorted, so that what several workers report in turns
//! still makes long runs. What falls into a block rewrites that block; what is
//! next to a short one is joined to it, so that ends which come one by one do
//! not stay one row each.

use super::block::{BLOCK, Block, Builder};
use super::codec::damaged;
use super::storage;
use super::tables::{Bytes, TaskKey};
use crate::StoreError;
use ::redb::{ReadableTable, Table};
use std::ops::Bound;
use wasmhost_core::record::OutcomeRecord;
use wasmhost_proto::{JobId, NodeIndex, TaskId};

/// A block shorter than this, bytes, is joined with its neighbour: rewriting it
/// costs less than another row.
const SHORT: usize = 4 << 10;

/// Any table of blocks.
pub(super) trait Ends: ReadableTable<TaskKey, Bytes> {}
impl<T: ReadableTable<TaskKey, Bytes>> Ends for T {}

fn key(task: TaskId) -> TaskKey {
    (task.job.0, task.node, task.index)
}

/// Where the node of a key begins.
fn node_start(key: TaskKey) -> TaskKey {
    (key.0, key.1, 0)
}

/// One recorded end.
pub(super) fn get(table: &impl Ends, task: TaskId) -> Result<Option<OutcomeRecord>, StoreError> {
    let key = key(task);
    let mut before = table.range(node_start(key)..=key).map_err(storage)?;
    let Some(row) = before.next_back() else {
        return Ok(None);
    };
    let (first, bytes) = row.map_err(storage)?;
    let n = task.index - first.value().2;
    let member = Block::new(bytes.value())?.members_from(n).next();
    member.map(|member| member?.outcome()).transpose()
}

/// Up to `limit` recorded ends of a node from index `from` on.
pub(super) fn page(
    table: &impl Ends,
    job: JobId,
    node: NodeIndex,
    from: u32,
    limit: usize,
) -> Result<Vec<(u32, OutcomeRecord)>, StoreError> {
    let from_key = (job.0, node, from);
    let mut before = table
        .range(node_start(from_key)..=from_key)
        .map_err(storage)?;
    let first = match before.next_back() {
        Some(row) => row.map_err(storage)?.0.value(),
        None => from_key,
    };
    let mut page = Vec::new();
    for row in table
        .range(first..=(job.0, node, u32::MAX))
        .map_err(storage)?
    {
        let (first, bytes) = row.map_err(storage)?;
        let first = first.value().2;
        let skip = from.saturating_sub(first);
        let members = Block::new(bytes.value())?.members_from(skip);
        for (index, member) in (first.saturating_add(skip)..=u32::MAX).zip(members) {
            if page.len() == limit {
                return Ok(page);
            }
            page.push((index, member?.outcome()?));
        }
    }
    Ok(page)
}

/// An end that is recorded, or taken back when there is none.
pub(super) type Change<'a> = (TaskId, Option<&'a OutcomeRecord>);

/// Merges changes into the table; of several for a task the last one holds.
pub(super) fn apply(
    table: &mut Table<'_, TaskKey, Bytes>,
    mut changes: Vec<Change<'_>>,
) -> Result<(), StoreError> {
    changes.sort_by_key(|(task, _)| *task);
    let mut editor = Editor {
        table,
        open: Builder::default(),
        first: (0, 0, 0),
        old: None,
        clear: Clear::Unknown,
    };
    for (n, (task, outcome)) in changes.iter().enumerate() {
        let superseded = changes.get(n + 1).is_some_and(|(next, _)| next == task);
        if !superseded {
            editor.change(key(*task), *outcome)?;
        }
    }
    editor.finish()
}

/// A block that was taken from its row and is carried over member by member.
struct Old {
    first: TaskKey,
    row: Vec<u8>,
    /// Its next member.
    next: u32,
}

/// Up to where no row lies ahead.
enum Clear {
    /// Not looked yet.
    Unknown,
    /// Below this key.
    Until(TaskKey),
    /// There are no more rows.
    Throughout,
}

struct Editor<'t, 'txn> {
    table: &'t mut Table<'txn, TaskKey, Bytes>,
    /// The block being filled, and its first member.
    open: Builder,
    first: TaskKey,
    old: Option<Old>,
    clear: Clear,
}

impl Editor<'_, '_> {
    /// Changes come in the order of their keys.
    fn change(&mut self, key: TaskKey, end: Option<&OutcomeRecord>) -> Result<(), StoreError> {
        self.carry(Some(key))?;
        let clear = match self.clear {
            Clear::Unknown => false,
            Clear::Until(next) => key < next,
            Clear::Throughout => true,
        };
        if self.old.is_none() && !clear {
            self.look(key)?;
            self.carry(Some(key))?;
        }
        match end {
            Some(end) => {
                self.make_room(key, 0)?;
                self.open.push(end)
            }
            None => Ok(()),
        }
    }

    /// Takes the block that holds `key`, or that ends right before it and is
    /// short, out of its row, and learns how far ahead there are no rows.
    fn look(&mut self, key: TaskKey) -> Result<(), StoreError> {
        let mut before = self.table.range(node_start(key)..=key).map_err(storage)?;
        if let Some(row) = before.next_back() {
            let (first, bytes) = row.map_err(storage)?;
            let (first, row) = (first.value(), bytes.value());
            let (n, count) = (key.2 - first.2, Block::new(row)?.count());
            if n < count || n == count && row.len() < SHORT {
                let row = row.to_vec();
                self.old = Some(Old {
                    first,
                    row,
                    next: 0,
                });
            }
        }
        drop(before);
        let ahead = (Bound::Excluded(key), Bound::Unbounded);
        let next = self
            .table
            .range::<TaskKey>(ahead)
            .map_err(storage)?
            .next()
            .transpose()
            .map_err(storage)?;
        self.clear = next.map_or(Clear::Throughout, |(next, _)| Clear::Until(next.value()));
        if let Some(old) = &self.old {
            self.table.remove(old.first).map_err(storage)?;
        }
        Ok(())
    }

    /// Carries the old block's members before `until` over, all of them when
    /// there is none; the member of that key itself is dropped.
    fn carry(&mut self, until: Option<TaskKey>) -> Result<(), StoreError> {
        let Some(mut old) = self.old.take() else {
            return Ok(());
        };
        let block = Block::new(&old.row)?;
        let count = block.count();
        for member in block.members_from(old.next) {
            let member = member?;
            let (job, node, first) = old.first;
            let index = first.checked_add(old.next);
            let at = (
                job,
                node,
                index.ok_or_else(|| damaged("ends", "a block is too long".into()))?,
            );
            if until.is_some_and(|until| at > until) {
                break;
            }
            old.next += 1;
            if until != Some(at) {
                self.make_room(at, member.len())?;
                self.open.carry(member);
            }
        }
        if old.next < count {
            self.old = Some(old);
        }
        Ok(())
    }

    /// Lets the open block be one that a member at `key` of `len` bytes can be
    /// added to.
    fn make_room(&mut self, key: TaskKey, len: usize) -> Result<(), StoreError> {
        if self.open.count() > 0 {
            if self.ends_at(key) && self.open.len() + len < BLOCK {
                return Ok(());
            }
            self.flush()?;
        }
        self.first = key;
        Ok(())
    }

    /// Whether `key` is next to the open block's last member.
    fn ends_at(&self, key: TaskKey) -> bool {
        let (job, node, first) = self.first;
        let next = first.checked_add(self.open.count());
        next.is_some_and(|next| key == (job, node, next))
    }

    /// Joins the row after the open block, if it is next to it and both are short.
    fn join(&mut self) -> Result<(), StoreError> {
        let Clear::Until(next) = self.clear else {
            return Ok(());
        };
        let open = self.open.len();
        if self.open.count() == 0 || open >= SHORT || !self.ends_at(next) {
            return Ok(());
        }
        if let Some(row) = self.table.get(next).map_err(storage)?
            && row.value().len() < SHORT
        {
            self.old = Some(Old {
                first: next,
                row: row.value().to_vec(),
                next: 0,
            });
        }
        if self.old.is_some() {
            self.table.remove(next).map_err(storage)?;
        }
        self.carry(None)
    }

    /// Writes the open block's row.
    fn flush(&mut self) -> Result<(), StoreError> {
        if self.open.count() == 0 {
            return Ok(());
        }
        let len = self.open.len();
        let mut row = self
            .table
            .insert_reserve(self.first, len)
            .map_err(storage)?;
        self.open.finish(row.as_mut());
        Ok(())
    }

    fn finish(mut self) -> Result<(), StoreError> {
        self.carry(None)?;
        self.join()?;
        self.flush()
    }
}
