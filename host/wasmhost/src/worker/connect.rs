//! Keeps the worker connected: tries for ever with growing, random pauses,
//! says once when something changes, and renews the certificate in time.

use super::driver::Cause;
use super::setup::{WorkerOptions, wall};
use super::term::TermFile;
use anyhow::Context as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use wasmhost_link::{
    ConnectError, FrameReceiver, FrameSender, Identity, LinkError, RenewError, Uplink, WorkerLink,
};
use wasmhost_proto::limits::{MAX_BATCH, MAX_OUTBOX, RECONNECT_MS};
use wasmhost_proto::wire::{PrimaryFrame, ToPrimary, WorkerFrame};

/// How often to look whether the certificate must be renewed.
const RENEWAL_CHECK: Duration = Duration::from_secs(60);

/// The way out: messages in order, batched into frames while one is being sent.
pub(super) struct Outbox {
    messages: mpsc::Sender<ToPrimary>,
    writer: JoinHandle<()>,
    uplink: Uplink,
}

impl Outbox {
    /// Queues a message. A primary that has not read [`MAX_OUTBOX`] of them is
    /// cut off; the core says again what matters to the next one.
    pub(super) fn send(&self, message: ToPrimary) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.messages.try_send(message) {
            self.cut("the primary does not read");
        }
    }

    /// Closes the connection; [`Cause::Down`] follows.
    pub(super) fn cut(&self, why: &str) {
        self.uplink.abort(why);
    }

    /// Blobs and renewals.
    pub(super) fn uplink(&self) -> &Uplink {
        &self.uplink
    }

    /// Sends what is queued, then closes in order.
    pub(super) async fn finish(self, why: &str) {
        drop(self.messages);
        let _ = self.writer.await;
        self.uplink.close(why).await;
    }
}

/// Sends until the queue is closed or the connection gone; its end is the
/// reader's to notice.
async fn write(mut sender: FrameSender<WorkerFrame>, mut queue: mpsc::Receiver<ToPrimary>) {
    let mut messages = Vec::new();
    while queue.recv_many(&mut messages, MAX_BATCH).await > 0 {
        if let Err(error) = send(&mut sender, std::mem::take(&mut messages)).await {
            tracing::debug!("messages to the primary were lost: {error}");
            return;
        }
    }
    sender.finish().await;
}

/// Sends messages in one frame, or in as many as their bytes need.
async fn send(
    sender: &mut FrameSender<WorkerFrame>,
    messages: Vec<ToPrimary>,
) -> Result<(), LinkError> {
    let mut rest = vec![WorkerFrame { messages }];
    while let Some(mut frame) = rest.pop() {
        match sender.send(&frame).await {
            Err(LinkError::TooLarge(_)) if frame.messages.len() > 1 => {
                let second = frame.messages.split_off(frame.messages.len() / 2);
                rest.push(WorkerFrame { messages: second });
                rest.push(frame);
            }
            Err(LinkError::TooLarge(len)) => {
                tracing::error!(
                    "a message of {len} bytes is over the limit of a frame and was dropped"
                );
            }
            result => result?,
        }
    }
    Ok(())
}

/// The connection's owner.
pub(super) struct Session {
    address: String,
    identity: Identity,
    term: TermFile,
    causes: mpsc::Sender<Cause>,
}

impl Session {
    pub(super) fn new(
        options: &WorkerOptions,
        identity: Identity,
        term: TermFile,
        causes: mpsc::Sender<Cause>,
    ) -> Session {
        Session {
            address: options.primary.clone(),
            identity,
            term,
            causes,
        }
    }

    /// Connects, serves, and connects again, until dropped.
    ///
    /// # Errors
    /// The very first connection was refused for a reason that waiting does
    /// not mend, or the term cannot be kept.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        let mut pause = Pause::default();
        let mut said = String::new();
        let mut lost_at: Option<Instant> = None;
        let mut first = true;
        loop {
            match WorkerLink::connect(&self.address, &self.identity).await {
                Ok(link) => {
                    match lost_at {
                        None => tracing::info!(primary = self.address, "connected to the primary"),
                        Some(at) => tracing::info!(
                            primary = self.address,
                            "the primary is back after {:.1} s",
                            at.elapsed().as_secs_f64()
                        ),
                    }
                    (first, said) = (false, String::new());
                    let since = Instant::now();
                    let why = self.serve(link).await?;
                    pause.after(since.elapsed());
                    lost_at = Some(Instant::now());
                    tracing::warn!("lost the primary: {why}; what runs goes on, connecting again");
                }
                Err(error) if first && error.is_refusal() => return Err(error.into()),
                Err(error) => {
                    // Each state once, not each attempt.
                    let text = error.to_string();
                    if text != said {
                        match error {
                            ConnectError::Expired { .. } => tracing::error!("{text}"),
                            _ => tracing::warn!("{text}; trying again until it works"),
                        }
                        said = text;
                    }
                    lost_at.get_or_insert_with(Instant::now);
                }
            }
            sleep(pause.next()).await;
        }
    }

    /// One connection from its first to its last frame; says why it ended.
    async fn serve(&mut self, link: WorkerLink) -> anyhow::Result<String> {
        let (sender, mut receiver, uplink) = link.split();
        let (messages, queue) = mpsc::channel(MAX_OUTBOX);
        let writer = tokio::spawn(write(sender, queue));
        let outbox = Outbox {
            messages,
            writer,
            uplink: uplink.clone(),
        };
        if self.causes.send(Cause::Up(outbox)).await.is_err() {
            return Ok("the worker ends".into());
        }
        let why = self.read(&mut receiver, &uplink).await?;
        uplink.abort(&why);
        let _ = self.causes.send(Cause::Down(why.clone())).await;
        Ok(why)
    }

    async fn read(
        &mut self,
        receiver: &mut FrameReceiver<PrimaryFrame>,
        uplink: &Uplink,
    ) -> anyhow::Result<String> {
        let mut check = interval(RENEWAL_CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewal: Option<JoinHandle<Result<Identity, RenewError>>> = None;
        loop {
            tokio::select! {
                frame = receiver.recv() => match frame {
                    Ok(frame) => {
                        // Before anything is done for this primary.
                        self.term.raise(frame.term).context("cannot keep the primary's term")?;
                        if self.causes.send(Cause::Frame(frame)).await.is_err() {
                            return Ok("the worker ends".into());
                        }
                    }
                    Err(error) => return Ok(error.to_string()),
                },
                _ = check.tick(), if renewal.is_none() => {
                    if self.identity.renew_at() <= wall() {
                        let (uplink, identity) = (uplink.clone(), self.identity.clone());
                        renewal = Some(tokio::spawn(async move { uplink.renew(&identity).await }));
                    }
                }
                Some(renewed) = async { Some(renewal.as_mut()?.await) }, if renewal.is_some() => {
                    renewal = None;
                    match renewed {
                        Ok(Ok(identity)) => {
                            tracing::info!(until = %identity.expires(), "renewed the certificate");
                            self.identity = identity;
                        }
                        Ok(Err(error)) => tracing::warn!("the certificate was not renewed, trying again in a minute: {error}"),
                        Err(error) => tracing::error!("renewing the certificate failed: {error}"),
                    }
                }
            }
        }
    }
}

/// Pauses between attempts: they double up to a bound, and a random half is
/// taken off so that the workers of a restarted primary do not come at once.
struct Pause {
    next_ms: u64,
}

impl Default for Pause {
    fn default() -> Pause {
        Pause {
            next_ms: *RECONNECT_MS.start(),
        }
    }
}

impl Pause {
    fn next(&mut self) -> Duration {
        let full = self.next_ms;
        self.next_ms = (full * 2).min(*RECONNECT_MS.end());
        let random = super::setup::random().unwrap_or(0);
        Duration::from_millis(full - random % (full / 2 + 1))
    }

    /// A connection that lasted begins anew; one that broke at once does not.
    fn after(&mut self, lasted: Duration) {
        if lasted.as_millis() as u64 >= *RECONNECT_MS.end() {
            *self = Pause::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew() {
        let mut pause = Pause::default();
        let mut full = *RECONNECT_MS.start();
        for _ in 0..20 {
            let got = pause.next().as_millis() as u64;
            assert!((full / 2..=full).contains(&got), "{got} of {full}");
            full = (full * 2).min(*RECONNECT_MS.end());
        }
        assert_eq!(full, *RECONNECT_MS.end());
        pause.after(Duration::from_millis(1));
        assert_eq!(pause.next_ms, full);
        pause.after(Duration::from_millis(full));
        assert_eq!(pause.next_ms, *RECONNECT_MS.start());
    }
}
