//! Blocks: recorded ends of consecutive tasks of a node in one row, because a row
//! costs the database more than an end costs us.
//!
//! A block is the number of its members (two bytes), a head of four bytes for
//! each, then their bodies, as `super::outcome` makes them. Numbers are little
//! endian. A head is the body's length (29 bits), whether its result is a blob
//! (1 bit), and how the end is counted (2 bits): recovery and garbage collection
//! read heads alone.

use super::codec::damaged;
use super::outcome;
use crate::recover::end_of;
use crate::{StoreError, named};
use wasmhost_core::record::{OutcomeRecord, RecordedEnd};

/// Bytes of a block that is not added to any more. With its key it fits into the
/// database's page of 16 KiB.
pub(super) const BLOCK: usize = (16 << 10) - 64;

const HEAD: usize = 4;
const COUNT: usize = 2;
const LEN: u32 = (1 << 29) - 1;
const BLOB: u32 = 1 << 29;
const END: u32 = 30;

fn broken(why: impl Into<String>) -> StoreError {
    damaged("ends", why.into())
}

/// What is known of a member without its body.
#[derive(Clone, Copy)]
pub(super) struct Head(u32);

impl Head {
    /// How the end is counted.
    pub(super) fn end(self) -> Result<RecordedEnd, StoreError> {
        match self.0 >> END {
            0 => Ok(RecordedEnd::Succeeded),
            1 => Ok(RecordedEnd::Failed),
            2 => Ok(RecordedEnd::Cancelled),
            n => Err(broken(format!("{n} is no kind of end"))),
        }
    }

    /// Whether the result is a blob.
    pub(super) fn has_blob(self) -> bool {
        self.0 & BLOB != 0
    }

    fn len(self) -> usize {
        (self.0 & LEN) as usize
    }
}

/// One end of a block.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    /// What is known without decoding.
    pub(super) head: Head,
    body: &'a [u8],
}

impl Member<'_> {
    /// What it adds to a block, bytes.
    pub(super) fn len(self) -> usize {
        HEAD + self.body.len()
    }

    /// The record.
    pub(super) fn outcome(self) -> Result<OutcomeRecord, StoreError> {
        outcome::read(self.body)
    }
}

/// A block as it lies in its row.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    heads: &'a [[u8; HEAD]],
    bodies: &'a [u8],
}

impl<'a> Block<'a> {
    /// Looks at a row's bytes.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Block<'a>, StoreError> {
        let short = || broken("a block is cut short");
        let (count, rest) = bytes.split_first_chunk::<COUNT>().ok_or_else(short)?;
        let heads = usize::from(u16::from_le_bytes(*count)) * HEAD;
        let (heads, bodies) = rest.split_at_checked(heads).ok_or_else(short)?;
        let (heads, _) = heads.as_chunks();
        Ok(Block { heads, bodies })
    }

    /// Its members' number.
    pub(super) fn count(self) -> u32 {
        self.heads.len() as u32
    }

    /// What is known of its members without their bodies, in order.
    pub(super) fn heads(self) -> impl Iterator<Item = Head> + 'a {
        self.heads
            .iter()
            .map(|head| Head(u32::from_le_bytes(*head)))
    }

    /// Its members from the n-th on, in order.
    pub(super) fn members_from(
        self,
        n: u32,
    ) -> impl Iterator<Item = Result<Member<'a>, StoreError>> {
        let n = n as usize;
        let mut at: usize = self.heads().take(n).map(Head::len).sum();
        self.heads().skip(n).map(move |head| {
            let body = self.bodies.get(at..at + head.len());
            at += head.len();
            let body = body.ok_or_else(|| broken("a member is cut short"))?;
            Ok(Member { head, body })
        })
    }
}

/// A block being made.
#[derive(Default)]
pub(super) struct Builder {
    heads: Vec<u8>,
    bodies: Vec<u8>,
}

impl Builder {
    /// Its members' number.
    pub(super) fn count(&self) -> u32 {
        (self.heads.len() / HEAD) as u32
    }

    /// Its length as a row.
    pub(super) fn len(&self) -> usize {
        COUNT + self.heads.len() + self.bodies.len()
    }

    /// Adds an end.
    pub(super) fn push(&mut self, outcome: &OutcomeRecord) -> Result<(), StoreError> {
        let at = self.bodies.len();
        outcome::encode(outcome, &mut self.bodies)?;
        let len = u32::try_from(self.bodies.len() - at).ok();
        let len = len.filter(|len| *len <= LEN);
        let len = len.ok_or_else(|| broken("an outcome has more than 512 MiB"))?;
        let end = match end_of(outcome) {
            RecordedEnd::Succeeded => 0,
            RecordedEnd::Failed => 1,
            RecordedEnd::Cancelled => 2_u32,
        };
        let blob = named::in_outcome(outcome).map_or(0, |_| BLOB);
        let head = len | blob | end << END;
        self.heads.extend_from_slice(&head.to_le_bytes());
        Ok(())
    }

    /// Adds a member of another block.
    pub(super) fn carry(&mut self, member: Member<'_>) {
        self.heads.extend_from_slice(&member.head.0.to_le_bytes());
        self.bodies.extend_from_slice(member.body);
    }

    /// Writes the row into `row`, which has [`Builder::len`] bytes, and begins anew.
    pub(super) fn finish(&mut self, row: &mut [u8]) {
        // Every member has four bytes of head, so that BLOCK bounds the count.
        let count = (self.count() as u16).to_le_bytes();
        let (head, rest) = row.split_at_mut(COUNT);
        let (heads, bodies) = rest.split_at_mut(self.heads.len());
        head.copy_from_slice(&count);
        heads.copy_from_slice(&self.heads);
        bodies.copy_from_slice(&self.bodies);
        self.heads.clear();
        self.bodies.clear();
    }
}
