//! task-wordcount
