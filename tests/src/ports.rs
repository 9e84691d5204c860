//! Ports for the servers of tests. Owns where they are looked for; holds none.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the search begins; below 32768, from where Linux gives ports to outgoing
/// connections. A port from there can be taken by any client between the search and
/// the server's start, even by the one that asks whether the server listens yet: it
/// connects to itself.
const FIRST: u32 = 10_000;

/// How many ports are looked at.
const RANGE: u32 = 20_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port of this machine, free for TCP and UDP, that this process is given once.
///
/// # Panics
/// When all are taken.
pub fn free_port() -> u16 {
    // Processes of tests that run side by side begin far from each other.
    let start = std::process::id().wrapping_mul(97) % RANGE;
    for _ in 0..RANGE {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + (start + next) % RANGE) as u16;
        let address = ("127.0.0.1", port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
    panic!("no port between {FIRST} and {} is free", FIRST + RANGE)
}
