//! The store's paths: the commits of a job as the core emits them, into a real
//! database in a folder of its own.

use crate::cluster::{Cluster, Side, Witness};
use crate::core::until;
use crate::meter::Meter;
use crate::plans;
use anyhow::{Context, Result, ensure};
use wasmhost_core::record::Write;
use wasmhost_proto::JobId;
use wasmhost_store::{RedbStore, Store};

/// Outcomes of a batch: what one worker reports at once.
const BATCH: u32 = 256;
const TASKS: u32 = 10_000;
/// Outcomes read at once.
const PAGE: usize = 500;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Commit,
    Read,
    Recover,
}

/// Returns the outcomes.
pub(crate) fn outcomes(meter: &mut Meter, way: Way) -> Result<u64> {
    let mut writes = writes()?;
    // The last batch ends the job: without it the job is live.
    let end = writes.iter().position(|batch| ends(batch));
    writes.truncate(end.context("the job does not end")?);
    let folder = tempfile::tempdir().context("cannot make a folder for a store")?;
    let store = RedbStore::open(&folder.path().join("store.redb"))?;
    for batch in &writes {
        match way {
            Way::Commit => meter.measure(|| store.commit(batch))?,
            _ => store.commit(batch)?,
        }
    }
    let counted = writes.iter().flatten();
    let counted = counted.filter(|w| matches!(w, Write::Outcome(..))).count();
    let job = job(&writes).context("no job was written")?;
    match way {
        Way::Commit => {}
        Way::Read => {
            let (mut read, mut from) = (0, 0);
            while let page = meter.measure(|| store.outcomes(job, 0, from, PAGE))?
                && let Some((last, _)) = page.last()
            {
                read += page.len();
                from = last + 1;
            }
            ensure!(read == counted, "{read} of {counted} outcomes were read");
        }
        Way::Recover => {
            let jobs = meter.measure(|| store.recover())?;
            let read: usize = jobs.iter().map(|job| job.ended.len()).sum();
            ensure!(read == counted, "{read} of {counted} outcomes came back");
        }
    }
    Ok(counted as u64)
}

fn writes() -> Result<Vec<Vec<Write>>> {
    let mut meter = Meter::off();
    let mut cluster = Cluster::new(2, BATCH);
    cluster.witness = Some(Witness::default());
    cluster.submit(plans::array(TASKS), Side::Primary, &mut meter);
    until(&mut cluster, 1, Side::Primary, &mut meter)?;
    Ok(cluster.witness.context("the witness is gone")?.writes)
}

fn ends(batch: &[Write]) -> bool {
    batch.iter().any(|write| match write {
        Write::Job(job) => job.ended.is_some(),
        _ => false,
    })
}

fn job(writes: &[Vec<Write>]) -> Option<JobId> {
    writes.iter().flatten().find_map(|write| match write {
        Write::Job(job) => Some(job.id),
        _ => None,
    })
}
