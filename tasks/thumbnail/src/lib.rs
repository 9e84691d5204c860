//! task-thumbnail
