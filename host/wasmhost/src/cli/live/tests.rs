//! What keys do, and what the screen looks like.

use super::draw::draw;
use super::screen::{Filter, Key, Pane, Screen};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

fn counts(total: u64, succeeded: u64, failed: u64, running: u64) -> Value {
    json!({
        "total": total, "waiting": total - succeeded - failed - running, "running": running,
        "succeeded": succeeded, "failed": failed, "cancelled": 0,
    })
}

/// A job by its number, as the API tells it.
fn job(number: u64, state: &str, counts: &Value) -> Value {
    let id = wasmhost_proto::JobId::floor_at(1_795_176_000_000 + 1_000 * number);
    json!({
        "id": id.to_string(), "name": format!("job-{number}"), "state": state, "priority": 0,
        "submitted": "2026-11-20T12:00:00.000Z", "counts": counts, "nodes": [],
    })
}

/// Its status with two tasks: one that failed and one that runs.
fn status(number: u64) -> Value {
    let all = counts(40, 12, 1, 1);
    let mut of = job(number, "running", &all);
    of["nodes"] = json!([{
        "name": "render", "module": format!("sha256:{}", "a".repeat(64)), "array": true,
        "counts": all, "limits": { "memory": 1, "wall_ms": 1, "output": 1 },
    }]);
    let task = |index: u32, state: &str, attempt: Value| json!({ "job": of["id"], "node": "render", "index": index, "state": state, "attempts": [attempt] });
    let running = json!({
        "attempt": 1, "worker_name": "host-1",
        "status": {
            "progress": { "done": 30, "total": 120, "message": "frame 30\u{1b}[31m" },
            "values": [{ "name": "phase", "type": "text", "value": "trace" }],
            "events": [{ "at": "2026-11-20T12:00:01.000Z", "name": "first light" }],
        },
    });
    let failed = json!({
        "attempt": 3, "worker_name": "host-2",
        "failure": { "kind": "trap", "message": "divided by zero" },
    });
    json!({
        "at": "2026-11-20T12:00:02.000Z", "job": of, "tasks_left_out": 38, "workers": [],
        "tasks": [task(13, "running", running), task(12, "failed", failed)],
    })
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}"))
}

/// Three jobs, the newest of which runs, and a worker.
fn screen() -> Screen {
    let mut screen = Screen::new("http://127.0.0.1:7400");
    screen.job(read(job(1, "failed", &counts(10, 4, 1, 0))));
    screen.job(read(job(2, "succeeded", &counts(10, 10, 0, 0))));
    screen.job(read(job(3, "running", &counts(40, 12, 1, 1))));
    screen.worker(read(json!({
        "id": "000000000a", "name": "host-1", "state": "up", "version": "1", "slots": 4, "running": 1,
        "queued": 2, "completed": 1234, "executors_lost": 0, "age_ms": 150, "status_interval_ms": 500,
    })));
    screen.status(read(status(3)));
    screen
}

fn drawn(screen: &Screen) -> String {
    let mut terminal = Terminal::new(TestBackend::new(118, 20)).unwrap_or_else(|e| match e {});
    let drawn = terminal.draw(|frame| draw(frame, screen));
    assert!(drawn.is_ok());
    terminal.backend().to_string()
}

#[test]
fn keys_move_through_jobs_tasks_and_logs() {
    use Key::{Back, Down, Filter as F, Open, Quit, Up};
    // Keys; which pane, which job (by its name) and which task they lead to, and whether
    // that was the end.
    for (keys, pane, job, task, end) in [
        (&[][..], Pane::Jobs, 3, 0, false),
        (&[Up], Pane::Jobs, 3, 0, false),
        (&[Down], Pane::Jobs, 2, 0, false),
        (&[Down, Down, Down], Pane::Jobs, 1, 0, false),
        (&[Open], Pane::Tasks, 3, 0, false),
        (&[Open, Down, Down], Pane::Tasks, 3, 1, false),
        (&[Open, Down, Up], Pane::Tasks, 3, 0, false),
        (&[Open, Down, Open], Pane::Log, 3, 1, false),
        (&[Open, Open, Back], Pane::Tasks, 3, 0, false),
        (&[Open, Open, Back, Back], Pane::Jobs, 3, 0, false),
        // What is not known yet has no log.
        (&[Down, Open, Open], Pane::Tasks, 2, 0, false),
        (&[F], Pane::Jobs, 3, 0, false),
        (&[F, Down], Pane::Jobs, 3, 0, false),
        (&[F, F], Pane::Jobs, 1, 0, false),
        (&[F, F, F], Pane::Jobs, 3, 0, false),
        (&[Open, F], Pane::Tasks, 3, 0, false),
        (&[Back], Pane::Jobs, 3, 0, true),
        (&[Open, Open, Quit], Pane::Log, 3, 0, true),
    ] {
        let mut screen = screen();
        let ended = keys
            .iter()
            .map(|key| screen.press(*key))
            .fold(false, |_, end| end);
        let selected = screen.selected();
        let listed = screen.listed().find(|job| Some(job.id) == selected);
        let name = listed.map(|job| job.name.clone());
        let got = (screen.pane, name, screen.task(), ended);
        assert_eq!(
            got,
            (pane, Some(format!("job-{job}")), task, end),
            "{keys:?}"
        );
        let wanted = screen.wanted();
        assert_eq!(wanted.job, selected, "{keys:?}");
        assert_eq!(wanted.log.is_some(), pane == Pane::Log, "{keys:?}");
    }
}

#[test]
fn the_cursor_stays_on_its_job_when_others_come() {
    let mut screen = screen();
    screen.press(Key::Down);
    let before = screen.selected();
    screen.job(read(job(4, "running", &counts(1, 0, 0, 0))));
    assert_eq!((screen.selected(), screen.cursor()), (before, Some(2)));
    // What is said of another job than the one that is looked at is too late.
    screen.status(read(status(3)));
    assert!(screen.shown().is_none());
    assert_eq!(screen.filter, Filter::All);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut screen = Screen::default();
    for number in 0..600 {
        let state = if number % 2 == 0 {
            "running"
        } else {
            "succeeded"
        };
        screen.job(read(job(number, state, &counts(1, 0, 0, 0))));
    }
    assert_eq!(screen.listed().count(), 500);
    assert_eq!(
        screen.listed().filter(|job| !job.state.is_final()).count(),
        300
    );
}

#[test]
fn the_screen_looks_like_this() {
    let mut screen = screen();
    let jobs = drawn(&screen);
    screen.press(Key::Open);
    screen.press(Key::Open);
    screen.log("one\ntwo\u{1b}[2J\nthree\n");
    let log = drawn(&screen);
    screen.lost("no primary answers at http://127.0.0.1:7400".into());
    let away = drawn(&screen);
    let empty = drawn(&Screen::new("http://127.0.0.1:7400"));
    let away = away.lines().next().unwrap_or_default();
    assert!(!format!("{jobs}{log}").contains('\u{1b}'));
    insta::assert_snapshot!(format!("{jobs}\n{log}\n{away}\n\n{empty}"));
}
