//! Scenarios of latency: one task on an idle system, from the request to the
//! result in the client's hands. The client asks for the result once, and waits.

use crate::cluster::{Cluster, Options, push, submission, submit, warm_up};
use crate::place::{Folder, Place};
use crate::report::quantile;
use crate::scenario::{Better, Figure, Group, Run, Sample, Target};
use anyhow::{Context, Result, bail};
use redb::{Database, TableDefinition};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Tasks in one run.
const TASKS: usize = 300;

pub(crate) const GROUPS: &[Group] = &[Group {
    figures: &[
        Figure {
            name: "latency-p50",
            unit: "ms",
            better: Better::Lower,
            target: Some(Target::Median(1.5)),
            what: "one no-op task at a time, 300 a run, submit to result: the middle; limit: two durable redb commits and a TCP round trip",
        },
        Figure {
            name: "latency-p99",
            unit: "ms",
            better: Better::Lower,
            target: Some(Target::Median(5.0)),
            what: "the same, and the same limit's own: the slowest of a hundred",
        },
    ],
    runs: 5,
    set_up: latency,
}];

fn latency(place: &Place) -> Result<Run> {
    let options = Options {
        workers: 1,
        ..Options::default()
    };
    let cluster = Cluster::start(place, options)?;
    let mut client = cluster.client()?;
    push(&mut client, "noop", &place.guest("fixtures/noop")?)?;
    let definition = "[task]\nmodule = \"noop\"\n";
    warm_up(&mut client, definition)?;
    let body = submission(definition);
    let mut bare = Bare::new(place)?;
    Ok(Box::new(move || {
        let (mut times, mut limits) = (Vec::new(), Vec::new());
        for _ in 0..TASKS {
            let start = Instant::now();
            let job = submit(&mut client, &body)?;
            let result = format!("/api/v1/jobs/{job}/result?wait_ms=10000");
            let answer = client.call("GET", &result, b"")?;
            if answer.status != 200 {
                let text = String::from_utf8_lossy(&answer.body);
                bail!("{}: {text}\n{}", answer.status, cluster.explain());
            }
            times.push(start.elapsed().as_secs_f64() * 1e3);
            limits.push(bare.once()?.as_secs_f64() * 1e3);
        }
        let sample = |times: &mut [f64], limits: &mut [f64], part| {
            let value = quantile(times, part).context("no tasks")?;
            let limit = quantile(limits, part).context("no tasks")?;
            Ok(Sample::new(value, limit))
        };
        [0.5, 0.99]
            .into_iter()
            .map(|part| sample(&mut times, &mut limits, part))
            .collect()
    }))
}

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("rows");
/// Bytes of a record and of a request.
const ROW: [u8; 200] = [7; 200];

/// What a durable task cannot do without, done without anything else: its
/// submission and its outcome made durable, and one exchange with the client.
struct Bare {
    database: Database,
    stream: TcpStream,
    next: u64,
    // Last: the file goes when it is closed.
    _folder: Folder,
}

impl Bare {
    fn new(place: &Place) -> Result<Bare> {
        let folder = place.folder()?;
        let database = Database::create(folder.path().join("bare.redb"))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        stream.set_nodelay(true)?;
        let (mut peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        // Ends when this side hangs up.
        thread::spawn(move || {
            let mut row = ROW;
            while peer
                .read_exact(&mut row)
                .and_then(|()| peer.write_all(&row))
                .is_ok()
            {}
        });
        Ok(Bare {
            database,
            stream,
            next: 0,
            _folder: folder,
        })
    }

    fn once(&mut self) -> Result<Duration> {
        let start = Instant::now();
        for _ in 0..2 {
            let transaction = self.database.begin_write()?;
            transaction.open_table(TABLE)?.insert(self.next, &ROW[..])?;
            transaction.commit()?;
            self.next += 1;
        }
        let mut row = ROW;
        self.stream.write_all(&row)?;
        self.stream.read_exact(&mut row)?;
        Ok(start.elapsed())
    }
}
