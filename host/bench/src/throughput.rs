//! Scenarios of throughput: tasks with a durable result per second, through a
//! primary and one worker, from the request to the end that the client sees.

use crate::bare::Loops;
use crate::cluster::{
    Cluster, Options, finish, push, submission, submissions, submit, submit_all, until, warm_up,
};
use crate::http::Client;
use crate::place::Place;
use crate::scenario::{Better, Figure, Group, Run, Sample, Target};
use anyhow::{Result, anyhow};
use std::thread;
use std::time::{Duration, Instant};

/// Tasks of an array.
const TASKS: u32 = 100_000;
/// Single tasks that are submitted, by all clients together.
const SINGLES: u32 = 12_800;
/// The same when many come in one request.
const BATCHED: u32 = 128_000;
/// The bare loop's share of a run.
const LOOP: Duration = Duration::from_millis(500);
/// Between two looks at a job of some seconds.
const PAUSE: Duration = Duration::from_millis(2);

pub(crate) const GROUPS: &[Group] = &[
    Group {
        figures: &[Figure {
            name: "throughput-array",
            unit: "tasks/s",
            better: Better::Higher,
            target: Some(Target::Ratio(0.3)),
            what: "100,000 no-op tasks as one array; limit: bare sandboxes on all cores",
        }],
        runs: 5,
        set_up: |place| array(place, "fixtures/noop", String::new(), 8),
    },
    Group {
        figures: &[Figure {
            name: "throughput-array-1k",
            unit: "tasks/s",
            better: Better::Higher,
            target: None,
            what: "100,000 tasks that give back 1 KiB of input; limit: as above",
        }],
        runs: 5,
        set_up: |place| {
            // With its quotes, the item and the colon it is about 1 KiB.
            let input = format!("input = \"${{item}}:{}\"\n", "x".repeat(1016));
            array(place, "echo", input, 1024)
        },
    },
    Group {
        figures: &[Figure {
            name: "throughput-single-16",
            unit: "tasks/s",
            better: Better::Higher,
            target: Some(Target::Median(20_000.0)),
            what: "12,800 jobs of one no-op task each from 16 clients, until all have ended; limit: as above",
        }],
        runs: 5,
        set_up: |place| single(place, 16, 1),
    },
    Group {
        figures: &[Figure {
            name: "throughput-single-256",
            unit: "tasks/s",
            better: Better::Higher,
            target: None,
            what: "the same from 256 clients, of which more share a commit",
        }],
        runs: 5,
        set_up: |place| single(place, 256, 1),
    },
    Group {
        figures: &[Figure {
            name: "throughput-single-batch",
            unit: "tasks/s",
            better: Better::Higher,
            target: Some(Target::Median(20_000.0)),
            what: "128,000 jobs of one no-op task each from 16 clients, 100 jobs in a request, until all have ended; limit: as above",
        }],
        runs: 5,
        set_up: |place| single(place, 16, 100),
    },
];

fn one_worker(place: &Place, guest: &str) -> Result<(Cluster, Client)> {
    let options = Options {
        workers: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    push(&mut client, "guest", &place.guest(guest)?)?;
    Ok((cluster, client))
}

/// Tasks of `guest`, whose input is about `bytes` long.
fn array(place: &Place, guest: &str, input: String, bytes: usize) -> Result<Run> {
    let mut loops = Loops::start(place, &place.guest(guest)?, bytes)?;
    let (cluster, mut client) = one_worker(place, guest)?;
    let definition = |count: u32| {
        format!("[task]\nmodule = \"guest\"\narray = {{ range = [0, {count}] }}\n{input}")
    };
    warm_up(&mut client, &definition(1_000))?;
    let body = submission(&definition(TASKS));
    Ok(Box::new(move || {
        let start = Instant::now();
        let job = submit(&mut client, &body)?;
        finish(&mut client, &job).map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))?;
        let rate = f64::from(TASKS) / start.elapsed().as_secs_f64();
        Ok(vec![Sample::new(rate, loops.rate(LOOP)?)])
    }))
}

/// Jobs of one task from clients that send so many in a request.
fn single(place: &Place, submitters: u32, batch: u32) -> Result<Run> {
    let mut loops = Loops::start(place, &place.guest("fixtures/noop")?, 8)?;
    let (cluster, mut client) = one_worker(place, "fixtures/noop")?;
    let definition = "[task]\nmodule = \"guest\"\n";
    warm_up(&mut client, definition)?;
    let body = match batch {
        1 => submission(definition),
        many => submissions(definition, many),
    };
    let jobs = match batch {
        1 => SINGLES,
        _ => BATCHED,
    };
    Ok(Box::new(move || {
        let start = Instant::now();
        thread::scope(|scope| {
            let each = jobs / batch / submitters;
            let threads: Vec<_> = (0..submitters)
                .map(|_| {
                    let (mut client, body) = (client.another(), &body);
                    scope.spawn(move || {
                        (0..each).try_for_each(|_| match batch {
                            1 => submit(&mut client, body).map(drop),
                            _ => submit_all(&mut client, body),
                        })
                    })
                })
                .collect();
            let mut joined = threads.into_iter().map(|submitter| submitter.join());
            joined.try_for_each(|ended| {
                ended.unwrap_or_else(|_| Err(anyhow!("a submitter panicked")))
            })
        })?;
        until("all jobs to end", PAUSE, || {
            let info = client.json("GET", "/api/v1/info", b"")?;
            Ok((info["live_jobs"] == 0).then_some(()))
        })
        .map_err(|e| anyhow!("{e:#}\n{}", cluster.explain()))?;
        let rate = f64::from(jobs) / start.elapsed().as_secs_f64();
        Ok(vec![Sample::new(rate, loops.rate(LOOP)?)])
    }))
}
