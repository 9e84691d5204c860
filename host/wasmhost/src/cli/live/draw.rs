//! The live screen as cells: jobs on the left, the one under the cursor on the right, workers
//! below. Text of guests is cleaned before it is drawn.

use super::screen::{Pane, Screen};
use crate::output::human::{clean, count, duration, line, number};
use crate::output::lists::task_name;
use crate::output::story::{progress, value};
use crate::output::style::{Named, Tone};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, List, ListState, Paragraph};
use wasmhost_proto::api::{Counts, JobView, TaskState, TaskView, WorkerState, WorkerView};
use wasmhost_proto::limits::MAX_NAME;

/// Cells of the bar of a job, a node or a worker.
const BAR: usize = 16;
/// Cells of the bar of a task, which has to share its line.
const SHORT_BAR: usize = 8;
/// Workers and nodes that get a line.
const LINES: u16 = 6;

pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let workers = screen.workers();
    let below = (workers.len() as u16).clamp(1, LINES) + 2;
    let rows = [
        Constraint::Length(1),
        Constraint::Min(6),
        Constraint::Length(below),
        Constraint::Length(1),
    ];
    let [head, body, below, foot] = Layout::vertical(rows).areas(frame.area());
    let columns = [Constraint::Percentage(42), Constraint::Percentage(58)];
    let [left, right] = Layout::horizontal(columns).areas(body);
    frame.render_widget(head_line(screen), head);
    jobs(frame, left, screen);
    match screen.pane {
        Pane::Log => log(frame, right, screen),
        Pane::Jobs | Pane::Tasks => job(frame, right, screen),
    }
    let lines: Vec<Line<'_>> = workers.into_iter().take(LINES.into()).map(worker).collect();
    let lines = match lines.is_empty() {
        true => vec![Line::from(dim("no worker has joined"))],
        false => lines,
    };
    frame.render_widget(Paragraph::new(lines).block(pane("workers", false)), below);
    frame.render_widget(foot_line(screen), foot);
}

fn dim<'a>(text: impl Into<String>) -> Span<'a> {
    Span::styled(text.into(), Style::new().add_modifier(Modifier::DIM))
}

fn toned<'a>(tone: Tone, text: impl Into<String>) -> Span<'a> {
    let color = match tone {
        Tone::Good => Color::Green,
        Tone::Bad => Color::Red,
        Tone::Warn => Color::Yellow,
        Tone::Busy => Color::Cyan,
        Tone::Plain => Color::Reset,
    };
    Span::styled(text.into(), Style::new().fg(color))
}

/// A frame; the one that keys go to is bright.
fn pane(title: &str, focused: bool) -> Block<'static> {
    let style = match focused {
        true => Style::new().fg(Color::Cyan),
        false => Style::new().add_modifier(Modifier::DIM),
    };
    let title = format!(" {title} ");
    Block::bordered().border_style(style).title(title)
}

fn head_line(screen: &Screen) -> Line<'static> {
    let (busy, slots, running, waiting) = screen.load();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut spans = vec![
        Span::styled("wasmhost", bold),
        dim(format!(" {}  ", line(&screen.addr, 60))),
    ];
    match &screen.away {
        Some(why) => spans.push(toned(
            Tone::Bad,
            format!("{}; waiting for it", line(why, 80)),
        )),
        None => spans.push(Span::raw(format!(
            "{busy}/{slots} slots busy, {} running, {} waiting",
            count(running, "task"),
            number(waiting)
        ))),
    }
    Line::from(spans)
}

fn foot_line(screen: &Screen) -> Line<'static> {
    let keys = match screen.pane {
        Pane::Jobs => "↑↓ choose   enter tasks   f filter   q quit",
        Pane::Tasks => "↑↓ choose   enter log   esc jobs   q quit",
        Pane::Log => "esc tasks   q quit",
    };
    Line::from(dim(keys))
}

fn bar(part: u64, whole: u64, tone: Tone) -> Vec<Span<'static>> {
    bar_of(BAR, part, whole, tone)
}

/// `━━━━────` of so many cells.
fn bar_of(cells: usize, part: u64, whole: u64, tone: Tone) -> Vec<Span<'static>> {
    let full = match whole {
        0 => 0,
        _ => (u128::from(part.min(whole)) * cells as u128 / u128::from(whole)) as usize,
    };
    vec![toned(tone, "━".repeat(full)), dim("─".repeat(cells - full))]
}

fn ended(c: &Counts) -> u64 {
    c.succeeded + c.failed + c.cancelled + c.skipped
}

fn jobs(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let focused = screen.pane == Pane::Jobs;
    let items: Vec<Line<'_>> = screen.listed().map(row).collect();
    let empty = items.is_empty();
    let list = List::new(items)
        .block(pane(screen.filter.word(), focused))
        .highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = ListState::default().with_selected(screen.cursor());
    frame.render_stateful_widget(list, area, &mut state);
    if empty {
        let inside = pane("", false).inner(area);
        frame.render_widget(Line::from(dim("none yet: wasmhost submit FILE")), inside);
    }
}

fn row(job: &JobView) -> Line<'_> {
    let mut spans = vec![dim(format!("{} ", job.id))];
    let tone = job.state.tone();
    spans.extend(bar(ended(&job.counts), job.counts.total, tone));
    let percent = 100 * ended(&job.counts) / job.counts.total.max(1);
    spans.push(Span::raw(format!(" {percent:>3}% ")));
    spans.push(toned(tone, format!("{:<9} ", job.state.word())));
    spans.push(Span::raw(line(&job.name, MAX_NAME)));
    Line::from(spans)
}

fn job(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let focused = screen.pane == Pane::Tasks;
    let Some(status) = screen.shown() else {
        return frame.render_widget(pane("tasks", focused), area);
    };
    let title = format!("{} {}", status.job.id, line(&status.job.name, 40));
    let frame_of = pane(&title, focused);
    let inside = frame_of.inner(area);
    frame.render_widget(frame_of, area);
    let nodes = (status.job.nodes.len() as u16).min(LINES);
    let rows = [Constraint::Length(nodes + 1), Constraint::Min(1)];
    let [above, below] = Layout::vertical(rows).areas(inside);
    let lines = status.job.nodes.iter().take(nodes.into()).map(|node| {
        let c = &node.counts;
        let tone = match c.failed {
            0 => Tone::Busy,
            _ => Tone::Bad,
        };
        let mut spans = vec![Span::raw(format!("{:<14} ", line(&node.name, 14)))];
        spans.extend(bar(ended(c), c.total, tone));
        let running = match c.running {
            0 => String::new(),
            n => format!(", {} running", number(n)),
        };
        let failed = match c.failed {
            0 => String::new(),
            n => format!(", {} failed", number(n)),
        };
        let done = format!(" {}/{}{running}{failed}", number(ended(c)), number(c.total));
        spans.push(Span::raw(done));
        Line::from(spans)
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), above);
    let items: Vec<Text<'_>> = status.tasks.iter().map(task).collect();
    let list = List::new(items).highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let on = focused.then_some(screen.task());
    let mut state = ListState::default().with_selected(on);
    frame.render_stateful_widget(list, below, &mut state);
}

/// A task, and under it what its attempt says when it runs.
fn task(task: &TaskView) -> Text<'_> {
    let mut spans = vec![
        Span::raw(format!("{:<18} ", line(&task_name(task), 18))),
        toned(task.state.tone(), format!("{:<9} ", task.state.word())),
    ];
    let mut text = Text::default();
    if let Some(attempt) = task.attempts.first() {
        spans.push(dim(format!("{:<10} ", line(&attempt.worker_name, 10))));
        if let Some(failure) = &attempt.failure {
            spans.push(toned(Tone::Bad, line(&failure.message, 80)));
        } else if let Some(far) = &attempt.status.progress {
            if let Some(total) = far.total {
                spans.extend(bar_of(SHORT_BAR, far.done, total, Tone::Busy));
            }
            spans.push(Span::raw(format!(" {}", progress(far))));
        }
        text.push_line(Line::from(spans));
        let running = task.state == TaskState::Running;
        let values = attempt.status.values.iter().take(6).map(value);
        let values: Vec<String> = values.collect();
        if running && !values.is_empty() {
            let said = line(&values.join("  "), 160);
            text.push_line(Line::from(dim(format!("{:19}{said}", ""))));
        }
        if let Some(event) = attempt.status.events.last().filter(|_| running) {
            let said = line(&event.name, 80);
            text.push_line(Line::from(dim(format!("{:19}● {said}", ""))));
        }
    } else {
        text.push_line(Line::from(spans));
    }
    text
}

fn log(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let name = screen.on().map(task_name).unwrap_or_default();
    let block = pane(&format!("log of {}", line(&name, 40)), true);
    let height = usize::from(block.inner(area).height);
    let text = clean(screen.text());
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(height)..];
    let shown = match last.is_empty() {
        true => Text::from(Line::from(dim("nothing was logged"))),
        false => Text::from(last.join("\n")),
    };
    frame.render_widget(Paragraph::new(shown).block(block), area);
}

fn worker(w: &WorkerView) -> Line<'_> {
    let tone = match w.state {
        WorkerState::Up => Tone::Good,
        WorkerState::Suspect => Tone::Warn,
        _ => Tone::Plain,
    };
    let mut spans = vec![
        Span::raw(format!("{:<16} ", line(&w.name, 16))),
        toned(w.state.tone(), format!("{:<9} ", w.state.word())),
    ];
    spans.extend(bar(w.running.into(), w.slots.into(), tone));
    let queued = match w.queued {
        0 => String::new(),
        n => format!(", {n} at hand"),
    };
    spans.push(Span::raw(format!(
        " {}/{} slots{queued}, {} done",
        w.running,
        w.slots,
        number(w.completed)
    )));
    if let Some(age) = w.age_ms {
        spans.push(dim(format!(", heard {} ago", duration(age))));
    }
    Line::from(spans)
}
