//! Wires between workers and the primary: they delay, and are cut.

use crate::world::{Item, World};
use wasmhost_core::primary::Event;
use wasmhost_core::worker;
use wasmhost_proto::WorkerId;

/// One connection. Each direction keeps its order.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    pub worker: WorkerId,
    pub worker_process: u64,
    pub primary_process: u64,
    /// Both ends may send; a cut wire delivers what was under way, or not.
    pub up: bool,
    last: [u64; 2],
}

impl World {
    /// Makes a wire; both ends are told.
    pub(crate) fn connect(&mut self, worker: WorkerId, worker_process: u64) {
        self.last_wire += 1;
        let link = self.last_wire;
        let wire = Wire {
            worker,
            worker_process,
            primary_process: self.primary_process,
            up: true,
            last: [self.now; 2],
        };
        self.log(|| format!("wire {link} for {worker}"));
        self.wires.insert(link, wire);
        if let Some(w) = self.workers.get_mut(&worker) {
            w.link = Some(link);
        }
        self.primary_event(Event::Connected {
            session: link,
            worker,
        });
        self.worker_event(worker, worker::Event::Connected);
    }

    /// Sends over a wire, in order. Direction 0 is from the primary.
    pub(crate) fn transmit(&mut self, link: u64, direction: usize, item: Item) {
        let delay = match self.rng.range(0, 50) {
            0 => self.rng.range(50, 600),
            _ => self.rng.range(0, 15),
        };
        let Some(wire) = self.wires.get_mut(&link).filter(|wire| wire.up) else {
            return;
        };
        let at = (self.now + delay).max(wire.last[direction]);
        wire.last[direction] = at;
        self.at(at - self.now, item);
    }

    /// Cuts a wire. What is under way may still arrive, or not; each side notices
    /// in its own time.
    pub(crate) fn cut(&mut self, link: u64) {
        let lose = self.rng.percent(60);
        let Some(wire) = self.wires.get_mut(&link).filter(|wire| wire.up) else {
            return;
        };
        wire.up = false;
        if lose {
            self.queue.retain(|_, item| match item {
                Item::ToPrimary { link: l, .. } | Item::ToWorker { link: l, .. } => *l != link,
                _ => true,
            });
        }
        let (a, b) = (self.rng.range(0, 800), self.rng.range(0, 800));
        self.at(a, Item::PrimaryHears { link });
        self.at(b, Item::WorkerHears { link });
    }
}
