//! `wasmhost watch --all`: the whole cluster on one screen, live. What is there comes from the
//! event stream of the API; the job that is looked at, and a log, are asked for beside it.

mod draw;
mod screen;
#[cfg(test)]
mod tests;

use super::context::Context;
use super::exit::{Exit, Fault};
use crate::client::{Client, ClientError, Events, Listing, PATIENCE, SseEvent, TRY_EVERY};
use futures_util::StreamExt;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use screen::{Key, Screen, Wanted};
use std::io::IsTerminal;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use wasmhost_proto::api::{JobStatus, JobView, WorkerView};

/// Between two looks at the job that is shown.
const LOOK: Duration = Duration::from_millis(500);
/// Jobs that are shown at first.
const LATEST: usize = 50;
/// Keys that wait to be taken.
const KEYS: usize = 16;

/// Shows it until somebody presses `q`.
pub(super) async fn run(cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        let title = "watch --all draws on a terminal, and this is none";
        let help = "for programs: wasmhost watch --all --changes writes lines of JSON";
        return Err(Fault::new(Exit::USAGE, "no_terminal", title)
            .help(help)
            .into());
    }
    let mut screen = Screen::new(client.addr());
    // The stream tells of those that live; what ended before is worth a look, too.
    let latest = Listing {
        limit: Some(LATEST),
        ..Listing::default()
    };
    for job in client.jobs(&latest).await?.items {
        screen.job(job);
    }
    let mut terminal = ratatui::try_init()?;
    let shown = show(&client, &mut terminal, &mut screen).await;
    ratatui::restore();
    shown.map(|()| Exit::OK)
}

async fn show(
    client: &Client,
    terminal: &mut ratatui::DefaultTerminal,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let mut keys = keys();
    let mut stream = pin!(told(client));
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        terminal.draw(|frame| draw::draw(frame, screen))?;
        tokio::select! {
            key = keys.recv() => match key {
                Some(Some(key)) => {
                    if screen.press(key) {
                        return Ok(());
                    }
                    look.reset_immediately();
                }
                // Something else happened to the terminal: it is drawn anew.
                Some(None) => {}
                None => return Ok(()),
            },
            Some(told) = stream.next() => tell(screen, told?),
            _ = look.tick() => fetch(client, screen).await?,
        }
    }
}

/// Writes every change as a line of JSON, `{"job": …}` or `{"worker": …}`, until interrupted.
pub(super) async fn changes(cx: &Context) -> anyhow::Result<Exit> {
    let client = cx.client().await?;
    let mut stream = pin!(told(&client));
    let mut interrupted = pin!(super::signals::interrupted());
    loop {
        let told = tokio::select! {
            Some(told) = stream.next() => told?,
            done = &mut interrupted => {
                done?;
                return Ok(Exit::INTERRUPTED);
            }
        };
        let line = match told {
            Told::Job(job) => serde_json::json!({ "job": job }),
            Told::Worker(worker) => serde_json::json!({ "worker": worker }),
            Told::Lost(why) => {
                cx.out.talk(why);
                continue;
            }
        };
        cx.out.text(&format!("{line}\n"))?;
    }
}

/// What the stream says.
enum Told {
    Job(Box<JobView>),
    Worker(Box<WorkerView>),
    /// The primary is away; it is tried again.
    Lost(String),
}

fn tell(screen: &mut Screen, told: Told) {
    match told {
        Told::Job(job) => screen.job(*job),
        Told::Worker(worker) => screen.worker(*worker),
        Told::Lost(why) => screen.lost(why),
    }
}

/// What is told, without end. The stream keeps what is under way when nobody waits for it.
fn told(client: &Client) -> impl futures_util::Stream<Item = Result<Told, ClientError>> {
    futures_util::stream::unfold(Stream::new(client), |mut stream| async {
        Some((stream.next().await, stream))
    })
}

/// The cluster's events over connections that may break.
struct Stream<'a> {
    client: &'a Client,
    events: Option<Events>,
    known: bool,
    lost: Option<Instant>,
}

impl Stream<'_> {
    fn new(client: &Client) -> Stream<'_> {
        Stream {
            client,
            events: None,
            known: false,
            lost: None,
        }
    }

    /// Fails when the primary is away for long, or refuses.
    async fn next(&mut self) -> Result<Told, ClientError> {
        loop {
            if self.lost.is_some() {
                tokio::time::sleep(TRY_EVERY).await;
            }
            match self.event().await {
                Ok(Some(event)) => {
                    self.known = true;
                    self.lost = None;
                    if let Some(told) = self.read(&event)? {
                        return Ok(told);
                    }
                }
                Ok(None) => self.events = None,
                Err(error) if error.is_passing() && self.known => {
                    self.events = None;
                    let first = self.lost.is_none();
                    if self.lost.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                        return Err(error);
                    }
                    if first {
                        return Ok(Told::Lost(error.to_string()));
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn event(&mut self) -> Result<Option<SseEvent>, ClientError> {
        let events = match &mut self.events {
            Some(events) => events,
            None => self.events.insert(self.client.cluster_events().await?),
        };
        events.next().await
    }

    /// None for an event of a kind that this program does not know.
    fn read(&self, event: &SseEvent) -> Result<Option<Told>, ClientError> {
        let told = match event.name.as_str() {
            "job" => serde_json::from_str(&event.data).map(|job| Some(Told::Job(job))),
            "worker" => serde_json::from_str(&event.data).map(|w| Some(Told::Worker(w))),
            _ => Ok(None),
        };
        told.map_err(|error| ClientError::Protocol {
            addr: self.client.addr().into(),
            what: error.to_string(),
        })
    }
}

/// Asks for what the screen shows of one job. A primary that is away for a moment is not asked.
async fn fetch(client: &Client, screen: &mut Screen) -> Result<(), ClientError> {
    let Wanted { job, log } = screen.wanted();
    let Some(job) = job else { return Ok(()) };
    let id = job.to_string();
    let fetched: Result<JobStatus, ClientError> = client.status(&id).await;
    match fetched {
        Ok(status) => screen.status(status),
        Err(error) if error.is_passing() || error.is_not_found() => return Ok(()),
        Err(error) => return Err(error),
    }
    if let Some((node, index)) = log {
        match client.task_log(&id, &node, index).await {
            Ok(text) => screen.log(&text),
            Err(error) if error.is_passing() || error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads the keyboard on a thread of its own, which ends with the process. None stands for
/// another event of the terminal, such as a new size.
fn keys() -> mpsc::Receiver<Option<Key>> {
    let (out, keys) = mpsc::channel(KEYS);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if out.blocking_send(key(&event)).is_err() {
                break;
            }
        }
    });
    keys
}

fn key(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    Some(match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
        KeyCode::Char('q') => Key::Quit,
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => Key::Open,
        KeyCode::Esc | KeyCode::Left | KeyCode::Char('h') | KeyCode::Backspace => Key::Back,
        KeyCode::Char('f') => Key::Filter,
        _ => return None,
    })
}
