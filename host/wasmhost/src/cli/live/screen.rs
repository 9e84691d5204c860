//! What the live screen shows and where the cursor is: from events and keys to a state that
//! can be drawn. Knows neither terminals nor the network.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use wasmhost_proto::api::{JobState, JobStatus, JobView, TaskView, WorkerState, WorkerView};
use wasmhost_proto::{JobId, WorkerId};

/// Jobs that are remembered; the oldest ended ones go first.
const MAX_JOBS: usize = 500;

/// What somebody pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Up,
    Down,
    Open,
    Back,
    Filter,
    Quit,
}

/// Where keys go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Pane {
    /// The list of jobs.
    #[default]
    Jobs,
    /// The tasks of a job.
    Tasks,
    /// The log of a task.
    Log,
}

/// Which jobs are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Filter {
    #[default]
    All,
    Live,
    Failed,
}

impl Filter {
    /// For the title of the list.
    pub(super) fn word(self) -> &'static str {
        match self {
            Filter::All => "jobs",
            Filter::Live => "live jobs",
            Filter::Failed => "failed jobs",
        }
    }

    fn next(self) -> Filter {
        match self {
            Filter::All => Filter::Live,
            Filter::Live => Filter::Failed,
            Filter::Failed => Filter::All,
        }
    }

    fn takes(self, job: &JobView) -> bool {
        match self {
            Filter::All => true,
            Filter::Live => !job.state.is_final(),
            Filter::Failed => job.state == JobState::Failed,
        }
    }
}

/// What is to be asked for beside the stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    /// The job that is looked at.
    pub(super) job: Option<JobId>,
    /// The task whose log is looked at, by node and index.
    pub(super) log: Option<(String, u32)>,
}

/// The state of the screen.
#[derive(Default)]
pub(super) struct Screen {
    /// Where the primary is, for the head line.
    pub(super) addr: String,
    /// Why the primary is away, if it is.
    pub(super) away: Option<String>,
    jobs: BTreeMap<Reverse<JobId>, JobView>,
    workers: BTreeMap<WorkerId, WorkerView>,
    /// Where the cursor is in the list of jobs; none: on the first one.
    at: Option<JobId>,
    /// The job that is looked at, as it was asked for last.
    shown: Option<JobStatus>,
    /// Which of its tasks the cursor is on.
    task: usize,
    log: String,
    pub(super) pane: Pane,
    pub(super) filter: Filter,
}

impl Screen {
    pub(super) fn new(addr: &str) -> Screen {
        Screen {
            addr: addr.to_owned(),
            ..Screen::default()
        }
    }

    /// A job has changed.
    pub(super) fn job(&mut self, job: JobView) {
        self.away = None;
        self.jobs.insert(Reverse(job.id), job);
        if self.jobs.len() > MAX_JOBS {
            let ended = self.jobs.iter().rev().find(|(_, job)| job.state.is_final());
            let oldest = ended.or(self.jobs.last_key_value()).map(|(id, _)| *id);
            oldest.map(|id| self.jobs.remove(&id));
        }
    }

    /// A worker has changed.
    pub(super) fn worker(&mut self, worker: WorkerView) {
        self.away = None;
        self.workers.insert(worker.id, worker);
    }

    /// The primary is away.
    pub(super) fn lost(&mut self, why: String) {
        self.away = Some(why);
    }

    /// The job that was asked for.
    pub(super) fn status(&mut self, status: JobStatus) {
        if Some(status.job.id) == self.selected() {
            self.task = self.task.min(status.tasks.len().saturating_sub(1));
            self.shown = Some(status);
        }
    }

    /// The log that was asked for.
    pub(super) fn log(&mut self, text: &str) {
        text.clone_into(&mut self.log);
    }

    /// What to ask for.
    pub(super) fn wanted(&self) -> Wanted {
        let task = self.on().filter(|_| self.pane == Pane::Log);
        Wanted {
            job: self.selected(),
            log: task.map(|task| (task.node.clone(), task.index)),
        }
    }

    /// Takes a key; whether that was the end.
    pub(super) fn press(&mut self, key: Key) -> bool {
        match (key, self.pane) {
            (Key::Quit, _) | (Key::Back, Pane::Jobs) => return true,
            (Key::Up | Key::Down, Pane::Jobs) => self.step(key == Key::Down),
            (Key::Up, Pane::Tasks) => self.task = self.task.saturating_sub(1),
            (Key::Down, Pane::Tasks) => {
                let last = self.tasks().len().saturating_sub(1);
                self.task = (self.task + 1).min(last);
            }
            (Key::Open, Pane::Jobs) if self.selected().is_some() => self.pane = Pane::Tasks,
            (Key::Open, Pane::Tasks) if self.on().is_some() => {
                self.log.clear();
                self.pane = Pane::Log;
            }
            (Key::Back, Pane::Tasks) => self.pane = Pane::Jobs,
            (Key::Back, Pane::Log) => self.pane = Pane::Tasks,
            (Key::Filter, Pane::Jobs) => {
                self.filter = self.filter.next();
                self.go(None);
            }
            _ => {}
        }
        false
    }

    /// The cursor goes up or down the list of jobs.
    fn step(&mut self, down: bool) {
        let at = self.cursor().unwrap_or(0);
        let to = match down {
            true => at + 1,
            false => at.saturating_sub(1),
        };
        let to = self.listed().nth(to).map(|job| job.id);
        if to.is_some() {
            self.go(to);
        }
    }

    fn go(&mut self, to: Option<JobId>) {
        self.at = to;
        (self.shown, self.task) = (None, 0);
    }

    /// The jobs in the list, newest first.
    pub(super) fn listed(&self) -> impl Iterator<Item = &JobView> {
        self.jobs.values().filter(|job| self.filter.takes(job))
    }

    /// Where in the list the cursor is.
    pub(super) fn cursor(&self) -> Option<usize> {
        let found = self.listed().position(|job| Some(job.id) == self.at);
        found.or_else(|| self.listed().next().map(|_| 0))
    }

    /// The job that the cursor is on.
    pub(super) fn selected(&self) -> Option<JobId> {
        self.listed().nth(self.cursor()?).map(|job| job.id)
    }

    /// The job that is looked at, once it is known.
    pub(super) fn shown(&self) -> Option<&JobStatus> {
        let shown = self.shown.as_ref();
        shown.filter(|status| Some(status.job.id) == self.selected())
    }

    /// Its tasks.
    pub(super) fn tasks(&self) -> &[TaskView] {
        self.shown().map_or(&[], |status| &status.tasks)
    }

    /// The place of the task that the cursor is on.
    pub(super) fn task(&self) -> usize {
        self.task
    }

    /// That task.
    pub(super) fn on(&self) -> Option<&TaskView> {
        self.tasks().get(self.task)
    }

    /// The log of it.
    pub(super) fn text(&self) -> &str {
        &self.log
    }

    /// Workers, those that are there first.
    pub(super) fn workers(&self) -> Vec<&WorkerView> {
        let mut workers: Vec<&WorkerView> = self.workers.values().collect();
        workers.sort_by_key(|w| (w.state == WorkerState::Gone, w.name.as_str()));
        workers
    }

    /// Slots that are busy, slots, tasks that run, tasks that wait.
    pub(super) fn load(&self) -> (u32, u32, u64, u64) {
        let up = || {
            self.workers
                .values()
                .filter(|w| w.state != WorkerState::Gone)
        };
        let live = || self.jobs.values().filter(|job| !job.state.is_final());
        (
            up().map(|w| w.running).sum(),
            up().map(|w| w.slots).sum(),
            live().map(|job| job.counts.running).sum(),
            live().map(|job| job.counts.waiting).sum(),
        )
    }
}
