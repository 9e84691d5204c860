//! The progress of one job while somebody watches: bars on a terminal, a line
//! now and then elsewhere, nothing when nobody reads it.

use super::human::{line, number};
use super::lists::{tally, task_name};
use super::style::Named;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};
use wasmhost_proto::api::{JobState, JobStatus, NodeView, TaskState, TaskView};

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Bars that move.
    Live,
    /// A line when something changed, at most every few seconds.
    Lines,
    /// Not at all.
    Silent,
}

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Running tasks that get a line of their own under the bars.
const TASKS: usize = 8;

/// The bars of one job.
pub(crate) struct Bars {
    mode: Mode,
    multi: MultiProgress,
    nodes: Vec<ProgressBar>,
    tasks: Vec<ProgressBar>,
    said: (Instant, JobState),
}

impl Bars {
    /// Nothing is drawn before the first update.
    pub(crate) fn new(mode: Mode) -> Bars {
        Bars {
            mode,
            multi: MultiProgress::new(),
            nodes: Vec::new(),
            tasks: Vec::new(),
            said: (Instant::now(), JobState::Queued),
        }
    }

    /// Shows the job as it is now.
    pub(crate) fn update(&mut self, status: &JobStatus) {
        match self.mode {
            Mode::Silent => {}
            Mode::Lines => self.line(status),
            Mode::Live => self.draw(status),
        }
    }

    /// Writes lines to standard output without tearing the bars.
    pub(crate) fn data(&self, text: &str) -> std::io::Result<()> {
        self.multi.suspend(|| {
            let mut out = anstream::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()
        })
    }

    /// Says something without tearing the bars.
    pub(crate) fn say(&self, text: &str) {
        if self.mode != Mode::Silent {
            self.multi.suspend(|| {
                let _ = writeln!(anstream::stderr(), "{text}");
            });
        }
    }

    /// Takes the bars away.
    pub(crate) fn clear(&mut self) {
        for bar in self.nodes.drain(..).chain(self.tasks.drain(..)) {
            bar.finish_and_clear();
        }
    }

    fn line(&mut self, status: &JobStatus) {
        let job = &status.job;
        let (at, state) = self.said;
        let due = state != job.state || at.elapsed() >= LINE_EVERY;
        if due && !job.state.is_final() {
            self.said = (Instant::now(), job.state);
            let text = format!("{} {}, {}", job.id, job.state.word(), tally(&job.counts));
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    fn draw(&mut self, status: &JobStatus) {
        let width = status
            .job
            .nodes
            .iter()
            .map(|n| n.name.chars().count())
            .max()
            .unwrap_or(0);
        while self.nodes.len() < status.job.nodes.len() {
            self.nodes.push(
                self.multi
                    .add(bar("{prefix} {bar:28.cyan/dim} {pos:>6}/{len} {msg}")),
            );
        }
        for (bar, node) in self.nodes.iter().zip(&status.job.nodes) {
            let c = &node.counts;
            bar.set_prefix(format!("{:>width$}", line(&node.name, width)));
            bar.set_length(c.total);
            bar.set_position(c.succeeded + c.failed + c.cancelled + c.skipped);
            bar.set_message(note(node));
        }
        let running: Vec<&TaskView> = status
            .tasks
            .iter()
            .filter(|t| t.state == TaskState::Running)
            .take(TASKS)
            .collect();
        while self.tasks.len() < running.len() {
            self.tasks.push(self.multi.add(bar("  {msg:.dim}")));
        }
        while self.tasks.len() > running.len() {
            if let Some(bar) = self.tasks.pop() {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
        }
        for (bar, task) in self.tasks.iter().zip(running) {
            bar.set_message(doing(task));
        }
    }
}

fn bar(template: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::no_length().with_style(style.progress_chars("━╸ "))
}

fn note(node: &NodeView) -> String {
    let c = &node.counts;
    [
        (c.running, "running"),
        (c.failed, "failed"),
        (c.cancelled, "cancelled"),
        (c.skipped, "skipped"),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{} {word}", number(n)))
    .collect::<Vec<_>>()
    .join(", ")
}

fn doing(task: &TaskView) -> String {
    let mut parts = vec![task_name(task)];
    if let Some(latest) = task.attempts.first() {
        if !latest.worker_name.is_empty() {
            parts.push(format!("on {}", line(&latest.worker_name, 24)));
        }
        parts.extend(latest.status.progress.as_ref().map(super::story::progress));
        parts.extend(latest.status.values.iter().take(3).map(super::story::value));
    }
    line(&parts.join("  "), 76)
}
