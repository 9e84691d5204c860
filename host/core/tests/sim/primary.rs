//! The primary's process: its core, and the owners of its effects.

use crate::jobs::LARGE_MEMORY;
use crate::worker;
use crate::world::{Asked, Item, World};
use wasmhost_core::primary::{Effect, Event, Primary, Refusal, Reply};
use wasmhost_proto::JobId;
use wasmhost_proto::wire::ToWorker;

impl World {
    pub(crate) fn start_primary(&mut self) {
        if self.primary.is_some() {
            return;
        }
        self.primary_process += 1;
        self.log(|| format!("primary {} starts", self.primary_process));
        let seed = self.rng.next();
        let term = self.primary_process;
        let primary = Primary::new(self.config, term, seed, self.clock(), self.disk.recover());
        self.primary = Some(primary);
        self.drain_primary();
        self.serve();
    }

    pub(crate) fn primary_event(&mut self, event: Event) {
        let now = self.clock();
        if let Some(primary) = &mut self.primary {
            primary.handle(now, event);
            if let Err(why) = primary.check() {
                panic!("at {}: {why}", self.now);
            }
            self.drain_primary();
        }
    }

    fn drain_primary(&mut self) {
        let mut frames: Vec<(u64, Vec<ToWorker>)> = Vec::new();
        while let Some(effect) = self.primary.as_mut().and_then(Primary::poll_effect) {
            match effect {
                Effect::Send { session, message } => {
                    self.inspect(session, &message);
                    match frames.last_mut().filter(|(last, _)| *last == session) {
                        Some((_, messages)) => messages.push(message),
                        None => frames.push((session, vec![message])),
                    }
                }
                Effect::SpawnEnded(end) => {
                    let session = end.session;
                    frames.push((session, vec![self.spawn_ended(*end)]));
                }
                Effect::Close { session, reason } => {
                    self.log(|| format!("primary closes {session}: {reason}"));
                    self.cut(session);
                }
                Effect::Persist { seq, writes } => {
                    self.log(|| format!("persist {seq}: {writes:?}"));
                    self.disk.unsynced.push_back((seq, writes));
                    let (process, after) =
                        (self.primary_process, self.rng.range(0, self.commit_ms));
                    self.at(after, Item::Commit { process });
                }
                Effect::Reply { request, reply } => self.replied(request, reply),
                Effect::Prepare(what) => {
                    let (process, after) = (self.primary_process, self.rng.range(0, 50));
                    self.at(after, Item::Prepare { process, what });
                }
                Effect::JobEnded(job) => {
                    assert!(
                        self.disk.jobs[&job].state.is_final(),
                        "{job} ended too early"
                    );
                    self.log(|| format!("{job} ended: {:?}", self.disk.jobs[&job].state));
                }
                // Checkpoints here are small.
                Effect::JobCall(call) => panic!("{:?} submits jobs", call.caller),
                Effect::DropCheckpoint(task, _) => panic!("{task} has a blob"),
                Effect::LateOutcome(task) => {
                    self.seen.note("late outcome");
                    self.witness.late.insert(task);
                }
                Effect::JobChanged(job) => self.look_at_job(job),
                Effect::WorkerChanged(_) => {}
            }
        }
        self.witness.all_on_their_way(&self.disk);
        for (link, messages) in frames {
            let term = self.primary_process;
            self.log(|| format!("primary -> {link}: {messages:?}"));
            self.transmit(
                link,
                0,
                Item::ToWorker {
                    link,
                    term,
                    messages,
                },
            );
        }
    }

    /// Views never say more than the disk holds.
    fn look_at_job(&self, id: JobId) {
        let now = self.clock();
        let Some(view) = self.primary.as_ref().and_then(|p| p.job_view(now, id)) else {
            return;
        };
        let sum = view.counts.waiting + view.counts.running + view.counts.succeeded;
        let sum = sum + view.counts.failed + view.counts.cancelled + view.counts.skipped;
        assert_eq!(sum, view.counts.total, "{id} adds up to {sum}: {view:?}");
        let durable = &self.disk.jobs[&id];
        assert!(
            view.counts.succeeded <= durable.counts.succeeded,
            "{id} tells too much"
        );
        assert!(
            !view.state.is_final() || durable.state.is_final(),
            "{id} ends too early"
        );
    }

    fn inspect(&mut self, link: u64, message: &ToWorker) {
        let wire = &self.wires[&link];
        match message {
            ToWorker::Assign(runs) => {
                for run in runs {
                    if !self.disk.jobs.contains_key(&run.job) {
                        self.seen.note("began before it was durable");
                    }
                    let plan = self.disk.plans.get(&run.job);
                    let plan = plan.or_else(|| self.disk.plan_to_come(run.job));
                    let asked = plan.map(|p| p.nodes[usize::from(run.node)].limits.memory);
                    let offer = worker::offer(wire.worker);
                    if offer > 0 && asked > Some(offer) {
                        panic!("{} was given {run:?}, which needs {asked:?}", wire.worker);
                    }
                    if asked == Some(LARGE_MEMORY) {
                        self.seen.note("large memory");
                    }
                    self.witness.assigned(&self.disk, run);
                }
            }
            ToWorker::Ack { batch } => {
                let (worker, process) = (wire.worker, wire.worker_process);
                self.witness
                    .outcomes_acked(&self.disk, worker, process, *batch);
            }
            ToWorker::TakeBack { .. } => self.seen.note("take-back"),
            _ => {}
        }
    }

    fn replied(&mut self, request: u64, reply: Result<Reply, Refusal>) {
        self.log(|| format!("reply to {request}: {reply:?}"));
        match (self.asked.remove(&request), reply) {
            (Some(Asked::Submit(key)), Ok(Reply::Job { id, .. })) => {
                self.witness.job_acked(&self.disk, id, key);
                if self.rng.percent(50) {
                    self.reliable.insert(id);
                }
            }
            (Some(Asked::Task(key)), Ok(_)) => {
                let known = self.disk.requests.values().any(|r| r.key == key);
                assert!(known, "request {key} was acknowledged and is not durable");
                self.seen.note("driver asked");
            }
            (Some(Asked::Cancel(id)), Ok(_)) => self.witness.cancel_acked(&self.disk, id),
            (Some(_), _) => {}
            (None, reply) => panic!("request {request} was answered twice: {reply:?}"),
        }
    }
}
