//! Counts connections that have not proved who they are yet, in all and by
//! address, so that a flood of them costs a bounded amount.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use wasmhost_proto::limits::{MAX_PENDING, MAX_PENDING_PER_ADDRESS};

/// The counts, shared by the listener and what is pending.
#[derive(Clone, Default)]
pub(crate) struct Pending(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One pending connection; no longer counted once dropped.
pub(crate) struct Place {
    pending: Pending,
    address: IpAddr,
}

impl Pending {
    /// How many are pending.
    pub(crate) fn len(&self) -> usize {
        self.counts(|counts| counts.all)
    }

    /// A place for one more from `address`, unless there are too many.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        self.counts(|counts| {
            let from_here = counts.by_address.get(&address).copied().unwrap_or(0);
            if counts.all >= MAX_PENDING || from_here >= MAX_PENDING_PER_ADDRESS {
                return None;
            }
            counts.all += 1;
            counts.by_address.insert(address, from_here + 1);
            Some(Place {
                pending: self.clone(),
                address,
            })
        })
    }

    fn counts<R>(&self, f: impl FnOnce(&mut Counts) -> R) -> R {
        // Nothing panics while it holds the lock, and counts stay counts if it did.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pending.counts(|counts| {
            counts.all -= 1;
            if let Some(n) = counts.by_address.get_mut(&self.address) {
                *n -= 1;
                if *n == 0 {
                    counts.by_address.remove(&self.address);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let pending = Pending::default();
        let addresses = (0..=255u8).map(|n| IpAddr::from([10, 0, 0, n]));
        let mut places: Vec<Place> = Vec::new();
        for address in addresses {
            places.extend(
                std::iter::repeat_with(|| pending.enter(address))
                    .take(100)
                    .flatten(),
            );
        }
        assert_eq!(places.len(), MAX_PENDING);
        let first = places
            .iter()
            .filter(|p| p.address == IpAddr::from([10, 0, 0, 0]))
            .count();
        assert_eq!(first, MAX_PENDING_PER_ADDRESS);
        places.clear();
        assert_eq!(pending.len(), 0);
        assert!(pending.counts(|c| c.by_address.is_empty()));
    }
}
