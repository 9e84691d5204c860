//! Executor processes: the child side, and the pool that supervises them.
