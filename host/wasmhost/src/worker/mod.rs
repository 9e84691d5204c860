//! The worker's driver: it holds the keys and the connection and runs no guest.
