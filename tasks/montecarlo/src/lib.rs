//! task-montecarlo
