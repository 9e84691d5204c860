//! Starts the log: `tracing` to standard error, for people or as JSON.

use super::{LogFormat, Settings};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Starts it; `default` holds when no filter was set. Fails on a filter that
/// cannot be read.
pub(crate) fn start(settings: &Settings, default: &str) -> anyhow::Result<()> {
    let text = settings.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(text).map_err(|error| {
        anyhow::anyhow!(
            "--log {text}: {error}; write for example info or wasmhost=debug,quinn=warn"
        )
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    match settings.log_format {
        LogFormat::Json => builder.json().flatten_event(true).init(),
        LogFormat::Text => {
            let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            builder
                .with_ansi(colour)
                .with_target(settings.log.is_some())
                .init();
        }
    }
    Ok(())
}
