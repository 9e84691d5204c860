//! task-echo
