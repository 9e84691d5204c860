//! The wire's paths: frames as a real worker and a real primary fill them.

use crate::cluster::{Cluster, Side, TERM, Witness};
use crate::core::until;
use crate::meter::Meter;
use crate::plans;
use anyhow::{Context, Result, ensure};
use wasmhost_proto::codec::{HEADER, decode, write_frame};
use wasmhost_proto::wire::{PrimaryFrame, ToPrimary, ToWorker, WorkerFrame};

/// Tasks in a frame.
const BATCH: u32 = 256;
/// Frames of one run.
const FRAMES: u64 = 64;

/// Which half of the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Write,
    Read,
}

/// Frames of outcomes. Returns the outcomes.
pub(crate) fn outcomes(meter: &mut Meter, way: Way) -> Result<u64> {
    let witness = witness()?;
    let mut frames = witness.to_primary.into_iter();
    let frame = frames.find_map(|messages| {
        let mut messages = messages.into_iter();
        messages.find(|m| matches!(m, ToPrimary::Outcomes { .. }))
    });
    let message = frame.context("no worker sent an outcome")?;
    let frame = WorkerFrame {
        messages: vec![message],
    };
    carry(meter, way, &frame)
}

/// Frames of assignments. Returns the assigned tasks.
pub(crate) fn assign(meter: &mut Meter, way: Way) -> Result<u64> {
    let witness = witness()?;
    let mut frames = witness.to_worker.into_iter();
    let frame = frames.find_map(|messages| {
        let mut messages = messages.into_iter();
        messages.find(|m| matches!(m, ToWorker::Assign(..)))
    });
    let message = frame.context("the primary assigned nothing")?;
    let frame = PrimaryFrame {
        term: TERM,
        messages: vec![message],
    };
    carry(meter, way, &frame)
}

fn carry<T>(meter: &mut Meter, way: Way, frame: &T) -> Result<u64>
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq,
{
    let mut bytes = Vec::new();
    write_frame(frame, &mut bytes)?;
    ensure!(&decode::<T>(&bytes[HEADER..])? == frame, "a frame changed");
    let mut buffer = Vec::with_capacity(bytes.len());
    for _ in 0..FRAMES {
        buffer.clear();
        match way {
            Way::Write => meter.measure(|| write_frame(frame, &mut buffer))?,
            Way::Read => drop(meter.measure(|| decode::<T>(&bytes[HEADER..]))?),
        }
    }
    Ok(FRAMES * u64::from(BATCH))
}

/// An array that one worker gets in one assignment and ends in one batch.
fn witness() -> Result<Witness> {
    let mut meter = Meter::off();
    let mut cluster = Cluster::new(1, BATCH);
    cluster.witness = Some(Witness::default());
    cluster.submit(plans::array(BATCH), Side::Primary, &mut meter);
    until(&mut cluster, 1, Side::Primary, &mut meter)?;
    cluster.witness.context("the witness is gone")
}
