//! Strikes the secrets of a node out of what its attempts publish: log, status, failures.
//! Results and outputs are data, and stay as they are.

use wasmhost_proto::executor::Ended;
use wasmhost_proto::secret::{Secret, strike};
use wasmhost_proto::status::{Status, Value};

/// What was published.
pub(super) fn published(status: &mut Status, log: &mut String, secrets: &[Secret]) {
    strike(log, secrets);
    let message = status.progress.as_mut().and_then(|p| p.message.as_mut());
    message.into_iter().for_each(|text| strike(text, secrets));
    for named in &mut status.values {
        strike(&mut named.name, secrets);
        value(&mut named.value, secrets);
    }
    for event in &mut status.events {
        strike(&mut event.name, secrets);
        let of = event.value.as_mut();
        of.into_iter().for_each(|of| value(of, secrets));
    }
}

/// What is told at the end.
pub(super) fn ended(ended: &mut Ended, secrets: &[Secret]) {
    if let Some(report) = &mut ended.report {
        published(&mut report.status, &mut report.log, secrets);
    }
    if let Some(failure) = &mut ended.failure {
        strike(&mut failure.message, secrets);
        let backtrace = failure.backtrace.as_mut();
        backtrace.into_iter().for_each(|text| strike(text, secrets));
    }
}

fn value(value: &mut Value, secrets: &[Secret]) {
    if let Value::Text(text) | Value::Json(text) = value {
        strike(text, secrets);
    }
}
