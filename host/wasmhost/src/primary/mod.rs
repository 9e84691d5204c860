//! The primary's driver: it owns the core, and every effect goes to its owner from here.
