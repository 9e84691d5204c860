//! One suite over every store: what the docs of [`Store`] promise.

#![allow(clippy::unwrap_used)]

mod samples;
mod subjects;

use samples::{
    attempt, blob, definition, job, library, module, outcome, plain, plan, prepared, put_job,
    put_outcome, request, task, token, worker,
};
use std::collections::HashSet;
use std::sync::Arc;
use subjects::check;
use wasmhost_core::prepared::PreparedRecord;
use wasmhost_core::record::{
    AttemptRecord, FailedAttempts, RecordedEnd, RequestAnswer, SpawnRecord, StoredResult, Write,
};
use wasmhost_proto::api::JobState;
use wasmhost_proto::input::Item;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::{Digest, JobId, TokenId};
use wasmhost_store::Store;

#[test]
fn an_empty_store() {
    check(&[], |store| {
        assert_eq!(store.term().unwrap(), 0);
        assert_eq!(store.job(JobId(1)).unwrap(), None);
        assert_eq!(store.plan(JobId(1)).unwrap(), None);
        assert_eq!(store.jobs(None, 10).unwrap(), vec![]);
        assert_eq!(store.job_by_key("").unwrap(), None);
        assert_eq!(store.outcome(task(1, 0, 0)).unwrap(), None);
        assert_eq!(store.outcomes(JobId(1), 0, 0, 10).unwrap(), vec![]);
        assert_eq!(store.attempts(task(1, 0, 0)).unwrap(), vec![]);
        assert_eq!(store.recover().unwrap(), vec![]);
        assert_eq!(store.recover_job(JobId(1)).unwrap(), None);
        assert_eq!(store.definitions().unwrap(), vec![]);
        assert_eq!(store.definition_versions("").unwrap(), vec![]);
        assert_eq!(store.definition("a", None).unwrap(), None);
        assert_eq!(store.last_version("a").unwrap(), 0);
        assert_eq!(store.definition_with(Digest([9; 32])).unwrap(), None);
        assert_eq!(store.named_blobs().unwrap(), HashSet::new());
    });
}

#[test]
fn the_latest_term_counts() {
    check(
        &[
            vec![Write::Term(1)],
            vec![Write::Term(2), Write::Term(u64::MAX)],
        ],
        |store| {
            assert_eq!(store.term().unwrap(), u64::MAX);
        },
    );
}

#[test]
fn records_read_back_as_they_were() {
    let ends = [
        outcome(None, Some(StoredResult::Inline(vec![0, 1, 255]))),
        outcome(
            Some(FailureKind::ExitCode),
            Some(StoredResult::Blob(blob(8))),
        ),
        plain(Some(FailureKind::Cancelled)),
    ];
    let mut batch = put_job(5, JobState::Running);
    for (index, end) in ends.iter().enumerate() {
        batch.push(put_outcome(task(5, 1, index as u32), end.clone()));
    }
    batch.push(Write::Worker(worker(3, true)));
    batch.push(Write::Worker(worker(2, true)));
    batch.push(Write::Module(Box::new(module(9))));
    batch.push(Write::Token(token(1)));
    check(&[batch], |store| {
        assert_eq!(
            store.job(JobId(5)).unwrap(),
            Some(job(5, JobState::Running))
        );
        assert_eq!(store.plan(JobId(5)).unwrap(), Some(plan()));
        for (index, end) in ends.iter().enumerate() {
            assert_eq!(
                store.outcome(task(5, 1, index as u32)).unwrap().as_ref(),
                Some(end)
            );
        }
        assert_eq!(
            store.workers().unwrap(),
            vec![worker(2, true), worker(3, true)]
        );
        assert_eq!(store.modules().unwrap(), vec![module(9)]);
        assert_eq!(store.module(Digest([9; 32])).unwrap(), Some(module(9)));
        assert_eq!(store.module(Digest([8; 32])).unwrap(), None);
        assert_eq!(store.token(TokenId(1)).unwrap(), Some(token(1)));
        assert_eq!(store.tokens().unwrap(), vec![token(1)]);
    });
}

#[test]
fn later_writes_of_a_batch_win() {
    let batch = vec![
        Write::Worker(worker(1, true)),
        Write::Worker(worker(1, false)),
        Write::Token(token(1)),
        Write::RemoveToken(TokenId(1)),
        Write::RemoveToken(TokenId(2)),
        Write::Module(Box::new(module(1))),
        Write::RemoveModule(Digest([1; 32])),
        Write::RemoveModule(Digest([2; 32])),
        Write::Library(Box::new(library("b", 1))),
        Write::Library(Box::new(library("a", 1))),
        Write::Library(Box::new(library("a", 2))),
        Write::RemoveLibrary("b".into()),
        Write::RemoveLibrary("c".into()),
        put_outcome(task(1, 0, 0), plain(None)),
        Write::RemoveOutcome(task(1, 0, 0)),
        Write::RemoveOutcome(task(1, 0, 1)),
    ];
    check(&[batch], |store| {
        assert_eq!(store.workers().unwrap(), vec![worker(1, false)]);
        assert_eq!(store.tokens().unwrap(), vec![]);
        assert_eq!(store.modules().unwrap(), vec![]);
        assert_eq!(store.libraries().unwrap(), vec![library("a", 2)]);
        assert_eq!(store.outcome(task(1, 0, 0)).unwrap(), None);
    });
}

#[test]
fn jobs_are_paged_newest_first_and_found_by_id_ranges() {
    let batches: Vec<_> = [3, 1, 9, 7].map(|id| put_job(id, JobState::Queued)).into();
    check(&batches, |store| {
        let ids = |before: Option<u64>, limit| -> Vec<u64> {
            let page = store.jobs(before.map(JobId), limit).unwrap();
            page.iter().map(|job| job.id.0).collect()
        };
        assert_eq!(ids(None, 10), [9, 7, 3, 1]);
        assert_eq!(ids(None, 2), [9, 7]);
        assert_eq!(ids(Some(7), 1), [3]);
        assert_eq!(ids(Some(1), 10), [0; 0]);
        let between = |first, last, limit| store.jobs_between(JobId(first), JobId(last), limit);
        assert_eq!(between(1, 7, 10).unwrap(), [JobId(1), JobId(3), JobId(7)]);
        assert_eq!(between(2, 8, 1).unwrap(), [JobId(3)]);
        assert_eq!(between(8, 8, 10).unwrap(), []);
        assert_eq!(between(8, 2, 10).unwrap(), []);
    });
}

#[test]
fn a_key_finds_the_job_that_came_with_it() {
    let mut ended = job(4, JobState::Succeeded);
    ended.counts.succeeded = 9;
    let batches = [
        put_job(4, JobState::Queued),
        vec![Write::Job(Arc::new(ended))],
    ];
    check(&batches, |store| {
        assert_eq!(store.job_by_key("key-4").unwrap(), Some(JobId(4)));
        assert_eq!(store.job_by_key("key-").unwrap(), None);
    });
}

#[test]
fn outcomes_are_paged_by_index_within_their_node() {
    let at = [
        (1, 0, 5),
        (1, 1, 0),
        (1, 1, 2),
        (1, 1, u32::MAX),
        (1, 2, 0),
        (2, 1, 1),
    ];
    let batch = at.map(|(j, n, i)| put_outcome(task(j, n, i), plain(None)));
    check(&[batch.into()], |store| {
        let indexes = |from, limit| -> Vec<u32> {
            let page = store.outcomes(JobId(1), 1, from, limit).unwrap();
            page.iter().map(|(index, _)| *index).collect()
        };
        assert_eq!(indexes(0, 10), [0, 2, u32::MAX]);
        assert_eq!(indexes(1, 1), [2]);
        assert_eq!(indexes(3, 10), [u32::MAX]);
    });
}

#[test]
fn attempts_are_a_history() {
    let (first, second) = (
        attempt(1, 1, FailureKind::Trap),
        attempt(2, 2, FailureKind::LostWorker),
    );
    let write =
        |index, record: &AttemptRecord| Write::Attempt(task(1, 0, index), Box::new(record.clone()));
    let batches = [
        vec![write(3, &second)],
        vec![write(3, &first), write(4, &first)],
    ];
    check(&batches, |store| {
        assert_eq!(
            store.attempts(task(1, 0, 3)).unwrap(),
            [first.clone(), second.clone()]
        );
        assert_eq!(
            store.attempts(task(1, 0, 4)).unwrap(),
            std::slice::from_ref(&first)
        );
    });
}

#[test]
fn recovery_gives_live_jobs_with_ends_and_open_attempts() {
    let failed =
        |index, number, kind| Write::Attempt(task(2, 0, index), Box::new(attempt(1, number, kind)));
    let batch = [
        put_job(1, JobState::Succeeded),
        put_job(2, JobState::Running),
        put_job(3, JobState::Stopping),
        vec![
            put_outcome(task(1, 0, 0), plain(None)),
            put_outcome(task(2, 0, 0), plain(None)),
            put_outcome(task(2, 0, 7), plain(Some(FailureKind::Expired))),
            put_outcome(task(2, 4, 0), plain(Some(FailureKind::Cancelled))),
            put_outcome(task(2, 4, 1), plain(None)),
            Write::RemoveOutcome(task(2, 4, 1)),
            failed(7, 1, FailureKind::ExitCode),
            failed(8, 1, FailureKind::ExitCode),
            failed(8, 2, FailureKind::LostExecutor),
            failed(8, 5, FailureKind::LostWorker),
            failed(9, 3, FailureKind::Trap),
        ],
    ]
    .concat();
    check(&[batch], |store| {
        let jobs = store.recover().unwrap();
        assert_eq!(
            jobs.iter().map(|job| job.record.id.0).collect::<Vec<_>>(),
            [2, 3]
        );
        let two = &jobs[0];
        assert_eq!(two.record, job(2, JobState::Running));
        assert_eq!(two.plan, plan());
        let ended = [
            (0, 0, RecordedEnd::Succeeded),
            (0, 7, RecordedEnd::Failed),
            (4, 0, RecordedEnd::Cancelled),
        ];
        assert_eq!(two.ended, ended);
        let open = [
            (
                0,
                7,
                FailedAttempts {
                    guest: 1,
                    infrastructure: 0,
                    last: 1,
                    ..FailedAttempts::default()
                },
            ),
            (
                0,
                8,
                FailedAttempts {
                    guest: 1,
                    infrastructure: 2,
                    last: 5,
                    ..FailedAttempts::default()
                },
            ),
            (
                0,
                9,
                FailedAttempts {
                    guest: 0,
                    infrastructure: 0,
                    last: 3,
                    ..FailedAttempts::default()
                },
            ),
        ];
        assert_eq!(two.failed_attempts, open);
        assert_eq!(store.recover_job(JobId(2)).unwrap().as_ref(), Some(two));
        let one = store.recover_job(JobId(1)).unwrap().unwrap();
        assert_eq!(one.ended, [(0, 0, RecordedEnd::Succeeded)]);
    });
}

#[test]
fn a_job_that_ended_lives_again_when_it_is_retried() {
    let batches = [
        put_job(1, JobState::Queued),
        vec![Write::Job(Arc::new(job(1, JobState::Failed)))],
        vec![Write::Job(Arc::new(job(1, JobState::Running)))],
    ];
    check(&batches[..2], |store| {
        assert_eq!(store.recover().unwrap(), vec![])
    });
    check(&batches, |store| {
        assert_eq!(store.recover().unwrap().len(), 1)
    });
}

fn put_definition(name: &str, version: u32) -> Write {
    Write::Definition(Box::new(definition(name, version)))
}

fn remove_definition(name: &str, before: Option<u32>) -> Write {
    let name = name.into();
    Write::RemoveDefinition { name, before }
}

#[test]
fn definitions_have_versions() {
    let some = [("b", 1), ("a", 1), ("b", 2), ("a.b", 7), ("b", 10), ("", 1)];
    let batch = some.map(|(name, version)| put_definition(name, version));
    check(&[batch.into()], |store| {
        let head = |name, version| definition(name, version).head;
        let latest = [head("", 1), head("a", 1), head("a.b", 7), head("b", 10)];
        assert_eq!(store.definitions().unwrap(), latest);
        let versions = store.definition_versions("b").unwrap();
        assert_eq!(versions, [head("b", 1), head("b", 2), head("b", 10)]);
        for (name, version, want) in [
            ("b", None, Some(10)),
            ("b", Some(2), Some(2)),
            ("b", Some(3), None),
            ("b", Some(u32::MAX), None),
            ("a", None, Some(1)),
            ("c", None, None),
        ] {
            let got = store.definition(name, version).unwrap();
            assert_eq!(got, want.map(|version| definition(name, version)));
        }
        assert_eq!(store.last_version("b").unwrap(), 10);
    });
}

#[test]
fn versions_that_were_taken_away_leave_their_numbers() {
    let put = [("a", 1), ("a", 2), ("a", 3), ("a.b", 1), ("b", 1), ("b", 2)];
    let put = put.map(|(name, version)| put_definition(name, version));
    let taken = [
        remove_definition("a", Some(3)),
        remove_definition("b", None),
        remove_definition("c", None),
    ];
    check(&[put.into(), taken.into()], |store| {
        let left = store.definitions().unwrap();
        let left = left.iter().map(|head| (head.name.as_str(), head.version));
        assert_eq!(left.collect::<Vec<_>>(), [("a", 3), ("a.b", 1)]);
        assert_eq!(store.definition_versions("a").unwrap().len(), 1);
        assert_eq!(store.definition("a", Some(2)).unwrap(), None);
        assert_eq!(store.definition("b", None).unwrap(), None);
        assert_eq!(store.last_version("b").unwrap(), 2);
        assert_eq!(store.last_version("c").unwrap(), 0);
    });
}

#[test]
fn versions_keep_their_modules_and_files() {
    let batches = [
        vec![put_definition("a", 1), put_definition("a", 2)],
        vec![put_definition("b", 3), remove_definition("a", Some(2))],
    ];
    check(&batches, |store| {
        let want: HashSet<_> = [21, 22, 23, 32, 33].map(|byte| Digest([byte; 32])).into();
        assert_eq!(store.named_blobs().unwrap(), want);
        let with = |byte| store.definition_with(Digest([byte; 32])).unwrap();
        assert_eq!(with(22), Some(definition("a", 2).head));
        assert_eq!(with(23), Some(definition("b", 3).head));
        assert_eq!(with(32), None);
    });
}

#[test]
fn every_named_blob_is_found() {
    let batch = [
        put_job(1, JobState::Succeeded),
        vec![
            put_outcome(
                task(1, 0, 0),
                outcome(None, Some(StoredResult::Inline(vec![6]))),
            ),
            put_outcome(
                task(1, 0, 1),
                outcome(None, Some(StoredResult::Blob(blob(7)))),
            ),
            put_outcome(
                task(1, 0, 2),
                outcome(None, Some(StoredResult::Blob(blob(8)))),
            ),
            Write::RemoveOutcome(task(1, 0, 2)),
            Write::Module(Box::new(module(9))),
            Write::Library(Box::new(library("a", 10))),
        ],
    ]
    .concat();
    check(&[batch], |store| {
        let want: HashSet<_> = [1, 2, 3, 4, 5, 7, 9, 10]
            .map(|byte| Digest([byte; 32]))
            .into();
        assert_eq!(store.named_blobs().unwrap(), want);
    });
}

#[test]
fn what_drivers_start_is_kept_in_order() {
    let spawned = |key: &str| SpawnRecord {
        key: key.into(),
        item: Item::Bytes(vec![0, 255]),
    };
    let put = |index, key| Write::Spawned(task(1, 3, index), Box::new(spawned(key)));
    let batches = [
        put_job(1, JobState::Running),
        put_job(2, JobState::Running),
        vec![put(1, "b"), put(0, "a")],
        vec![put(1, "b"), put(2, "c")],
    ];
    check(&batches, |store| {
        let of = |job| store.recover_job(JobId(job)).unwrap().unwrap().spawned;
        assert_eq!(of(1), ["a", "b", "c"].map(|key| (3, spawned(key))));
        assert_eq!(of(2), []);
    });
}

#[test]
fn requests_wait_by_number_and_stay_known() {
    let put = |key, number, answer| Write::Request(Box::new(request(key, number, answer)));
    let started = Some(RequestAnswer::Started(task(1, 3, 0)));
    let batches = [
        vec![put("b", 1, None), put("a", 2, None)],
        vec![put("c", 3, None), put("d", 4, None)],
        vec![
            put("a", 2, started),
            put("c", 3, Some(RequestAnswer::Withdrawn)),
        ],
    ];
    check(&batches, |store| {
        let waiting = store.waiting_requests().unwrap();
        let keys: Vec<&str> = waiting.iter().map(|record| &*record.key).collect();
        assert_eq!(keys, ["b", "d"]);
        assert_eq!(store.request("a").unwrap(), Some(request("a", 2, started)));
        assert_eq!(store.request("e").unwrap(), None);
    });
}

#[test]
fn what_is_found_out_about_nodes_is_kept_until_it_is_taken_back() {
    let found = [
        put_job(1, JobState::Running),
        put_job(2, JobState::Running),
        vec![
            Write::Prepared(JobId(1), 1, prepared(9)),
            Write::Prepared(JobId(1), 4, PreparedRecord::Skipped),
        ],
    ];
    let of = |store: &dyn Store, job| store.recover_job(JobId(job)).unwrap().unwrap().prepared;
    let names = |store: &dyn Store| store.named_blobs().unwrap().contains(&blob(9).digest);
    check(&found, |store| {
        let want = [(1, prepared(9)), (4, PreparedRecord::Skipped)];
        assert_eq!(of(store, 1), want);
        assert_eq!(of(store, 2), []);
        assert!(names(store));
    });
    let back = vec![Write::RemovePrepared(JobId(1), 1)];
    check(&[&found[..], &[back]].concat(), |store| {
        assert_eq!(of(store, 1), [(4, PreparedRecord::Skipped)]);
        assert!(!names(store));
    });
}
