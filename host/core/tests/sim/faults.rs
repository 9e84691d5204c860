//! What clients ask for, and what goes wrong.

use crate::jobs;
use crate::world::{Asked, Item, World};
use wasmhost_core::primary::Event;
use wasmhost_core::worker;
use wasmhost_proto::{JobId, WorkerId};

impl World {
    /// One request of a client, and when the next comes.
    pub(crate) fn client(&mut self) {
        if self.is_calm() {
            return;
        }
        let after = match self.rng.range(0, 4) {
            0 => self.rng.range(500, 4_000),
            _ => self.rng.range(1, 500),
        };
        self.at(after, Item::Client);
        if self.primary.is_none() {
            return;
        }
        if self.serving.is_some() && self.rng.percent(50) {
            return self.ask_driver();
        }
        match self.rng.range(0, 10) {
            0 => self.ask_cancel(),
            1 => self.ask_retry(),
            2 if self.rng.percent(30) => self.ask_drain(),
            _ => self.ask_submit(),
        }
    }

    pub(crate) fn ask(&mut self, asked: Asked, event: impl FnOnce(u64) -> Event) {
        self.last_request += 1;
        let request = self.last_request;
        let event = event(request);
        self.log(|| format!("request {request}: {asked:?} {event:?}"));
        self.asked.insert(request, asked);
        self.primary_event(event);
    }

    fn ask_submit(&mut self) {
        let key = self
            .rng
            .percent(30)
            .then(|| format!("key-{}", self.rng.range(0, 6)));
        if key
            .as_ref()
            .is_some_and(|key| self.disk.job_by_key(key).is_some())
        {
            // The driver answers from the store.
            return;
        }
        let plan = Box::new(jobs::plan(&mut self.rng));
        let idempotency_key = key.clone();
        self.ask(Asked::Submit(key), |request| Event::Submit {
            request,
            plan,
            idempotency_key,
        });
    }

    fn any_job(&mut self, ended: bool) -> Option<JobId> {
        let jobs = self
            .disk
            .jobs
            .values()
            .filter(|job| job.state.is_final() == ended);
        let jobs: Vec<JobId> = jobs.map(|job| job.id).collect();
        (!jobs.is_empty()).then(|| self.rng.pick(&jobs))
    }

    fn ask_cancel(&mut self) {
        let Some(job) = self.any_job(false) else {
            return;
        };
        let grace_ms = self.rng.percent(50).then(|| self.rng.range(0, 1_000));
        self.seen.note("cancel");
        self.ask(Asked::Cancel(job), |request| Event::Cancel {
            request,
            job,
            grace_ms,
        });
    }

    fn ask_retry(&mut self) {
        let Some(job) = self.any_job(true) else {
            return;
        };
        let Some(job) = self.disk.recover_job(job) else {
            return;
        };
        self.seen.note("retry job");
        let job = Box::new(job);
        self.ask(Asked::Retry, |request| Event::Retry { request, job });
    }

    fn ask_drain(&mut self) {
        let Some(worker) = self.any_worker() else {
            return;
        };
        let on = self.rng.percent(50);
        self.seen.note("drain");
        self.ask(Asked::Drain, |request| Event::Drain {
            request,
            worker,
            on,
        });
    }

    fn any_worker(&mut self) -> Option<WorkerId> {
        let alive = self.workers.iter().filter(|(_, w)| w.core.is_some());
        let alive: Vec<WorkerId> = alive.map(|(id, _)| *id).collect();
        (!alive.is_empty()).then(|| self.rng.pick(&alive))
    }

    /// One fault, and when the next comes.
    pub(crate) fn fault(&mut self) {
        if self.is_calm() {
            return;
        }
        let after = self.rng.range(50, 2_500);
        self.at(after, Item::Fault);
        let Some(worker) = self.any_worker() else {
            return;
        };
        match self.rng.range(0, 10) {
            0..2 => self.primary_dies(),
            2..4 => {
                self.seen.note("worker crash");
                self.log(|| format!("worker {worker} dies"));
                self.worker_dies(worker);
            }
            4..7 => {
                if let Some(link) = self.workers[&worker].link {
                    self.seen.note("link cut");
                    self.log(|| format!("wire {link} is cut"));
                    self.cut(link);
                }
            }
            7..9 => {
                self.seen.note("worker paused");
                let until = self.now + self.rng.range(100, 6_000);
                self.log(|| format!("worker {worker} sleeps until {until}"));
                // What comes to a sleeper waits for its end, in order: that end stands.
                let worker = self.workers.get_mut(&worker);
                if let Some(worker) = worker.filter(|w| w.paused_until <= self.now) {
                    worker.paused_until = until;
                }
            }
            _ => {
                let grace_ms = self.rng.range(0, 600);
                self.log(|| format!("worker {worker} is told to leave"));
                self.worker_event(worker, worker::Event::Shutdown { grace_ms });
            }
        }
    }

    fn primary_dies(&mut self) {
        if self.primary.take().is_none() {
            return;
        }
        self.seen.note("primary crash");
        // Some of what was under way may have reached the disk.
        let reached = self.rng.range(0, self.disk.unsynced.len() as u64 + 1);
        for _ in 0..reached {
            self.disk.sync_next();
            self.witness.look(&self.disk);
        }
        self.log(|| format!("primary dies, {} batches lost", self.disk.unsynced.len()));
        if !self.disk.unsynced.is_empty() {
            self.seen.note("commit lost");
            self.disk.unsynced.clear();
        }
        self.witness.primary_died();
        self.asked.clear();
        let wires: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, w)| w.up)
            .map(|(l, _)| *l)
            .collect();
        for link in wires {
            self.cut(link);
        }
        let after = self.rng.range(1, 1_500);
        self.at(after, Item::StartPrimary);
    }

    /// The end of all faults: everybody is up and takes work; who sleeps wakes by itself.
    pub(crate) fn heal(&mut self) {
        self.log(|| "faults end".into());
        self.start_primary();
        for worker in self.workers.keys().copied().collect::<Vec<_>>() {
            self.start_worker(worker);
            self.ask(Asked::Drain, |request| Event::Drain {
                request,
                worker,
                on: false,
            });
        }
    }
}
