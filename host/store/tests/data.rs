//! Data in every store.

#![allow(clippy::unwrap_used)]

mod samples;
mod subjects;

use samples::{
    blob, checkpoint, data_call, datum, outcome, output, part, put_job, put_outcome, task,
};
use subjects::check;
use wasmhost_core::record::{DataWrite, SpaceId, Write};
use wasmhost_proto::JobId;
use wasmhost_proto::api::JobState;

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

#[test]
fn outputs_and_their_parts() {
    let batches = [
        vec![
            output(task(1, 0, 0), 0, "a", 2),
            part(task(1, 0, 0), 0, 0),
            part(task(1, 0, 0), 0, 1),
            output(task(1, 0, 1), 0, "gone", 1),
            part(task(1, 0, 1), 0, 0),
            output(task(2, 1, 0), 0, "other", 0),
        ],
        vec![
            Write::RemoveOutputs(task(1, 0, 1)),
            output(task(1, 0, 1), 0, "b", 1),
            output(task(1, 0, 1), 1, "c", 0),
            part(task(1, 0, 1), 0, 3),
        ],
    ];
    check(&batches, |store| {
        let names = |from, limit| {
            let found = store.outputs(JobId(1), from, limit).unwrap();
            let names = found
                .into_iter()
                .map(|(task, n, of)| (task.index, n, of.name));
            names.collect::<Vec<_>>()
        };
        let name = |index, n, name: &str| (index, n, name.to_owned());
        let all = [name(0, 0, "a"), name(1, 0, "b"), name(1, 1, "c")];
        assert_eq!(names((0, 0, 0), 9), all);
        assert_eq!(names((0, 1, 0), 1), all[1..2]);
        assert_eq!(names((0, 1, 1), 9), all[2..]);
        assert_eq!(names((1, 0, 0), 9), []);
        let parts = |task, from| store.output_parts(task, 0, from, 9).unwrap().len();
        assert_eq!((parts(task(1, 0, 0), 0), parts(task(1, 0, 0), 1)), (2, 1));
        assert_eq!(parts(task(1, 0, 1), 0), 1);
        let named = store.named_blobs().unwrap();
        assert_eq!(named, [blob(1).digest, blob(3).digest].into());
        // Of no live job.
        assert!(store.data().unwrap().outputs.is_empty());
    });
}

#[test]
fn outputs_that_may_be_written_are_recovered() {
    let jobs = [
        put_job(1, JobState::Running),
        put_job(2, JobState::Succeeded),
    ]
    .concat();
    let outputs = vec![
        output(task(1, 0, 0), 0, "a", 2),
        output(task(1, 0, 0), 1, "b", 0),
        output(task(2, 0, 0), 0, "c", 0),
        // Ended by the attempt that wrote it.
        output(task(1, 0, 1), 0, "d", 0),
        put_outcome(task(1, 0, 1), outcome(None, None)),
    ];
    let batches = [jobs, outputs];
    check(&batches, |store| {
        let outputs = store.data().unwrap().outputs;
        let names: Vec<_> = outputs.iter().map(|(_, of)| &*of.name).collect();
        assert_eq!(names, ["a", "b"]);
    });
}
