//! Data in every store.

#![allow(clippy::unwrap_used)]

mod samples;
mod subjects;

use samples::{blob, checkpoint, data_call, datum, task};
use subjects::check;
use wasmhost_core::record::{DataWrite, SpaceId, Write};
use wasmhost_proto::JobId;

#[test]
fn data_is_kept_by_space_until_its_job_is_over() {
    let (one, other) = (SpaceId::Job(JobId(1)), SpaceId::Job(JobId(2)));
    let public = || SpaceId::Public("prices".into());
    let remove = |space: SpaceId, key: &str, revision| {
        Write::Data(Box::new(DataWrite {
            space,
            key: key.into(),
            entry: None,
            revision,
        }))
    };
    let batches = [
        vec![
            datum(public(), "a", 1),
            datum(one.clone(), "a", 2),
            datum(one.clone(), "b", 3),
            datum(other.clone(), "a", 4),
            data_call(task(1, 0, 0), 1),
            data_call(task(2, 0, 0), 1),
        ],
        vec![
            datum(public(), "a", 5),
            datum(other.clone(), "gone", 6),
            data_call(task(2, 0, 0), 2),
            data_call(task(2, 0, 1), 1),
        ],
        vec![
            remove(other.clone(), "gone", 8),
            Write::RemoveDataCall(task(2, 0, 1)),
            Write::RemoveJobData(JobId(1)),
        ],
    ];
    check(&batches, |store| {
        let data = store.data().unwrap();
        let mut entries: Vec<_> = data
            .entries
            .iter()
            .map(|(s, e)| (s, &*e.key, e.revision))
            .collect();
        entries.sort();
        assert_eq!(entries, [(&other, "a", 4), (&public(), "a", 5)]);
        let calls: Vec<_> = data.calls.iter().map(|(task, c)| (*task, c.call)).collect();
        assert_eq!((data.revision, calls), (8, vec![(task(2, 0, 0), 2)]));
    });
}

#[test]
fn the_last_checkpoint_of_a_task_is_kept_until_it_is_taken_away() {
    let batches = [
        vec![
            checkpoint(task(1, 0, 0), 1),
            checkpoint(task(1, 0, 1), 3),
            checkpoint(task(2, 0, 0), 2),
        ],
        vec![
            checkpoint(task(1, 0, 0), 5),
            Write::RemoveCheckpoint(task(1, 0, 1)),
            Write::RemoveJobData(JobId(7)),
        ],
    ];
    check(&batches, |store| {
        let all = store.data().unwrap().checkpoints;
        let calls: Vec<_> = all.iter().map(|(task, c)| (*task, c.call)).collect();
        assert_eq!(calls, [(task(1, 0, 0), 5), (task(2, 0, 0), 2)]);
        let named = store.named_blobs().unwrap();
        assert_eq!(named, [blob(5).digest].into());
    });
}
