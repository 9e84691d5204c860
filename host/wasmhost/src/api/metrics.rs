//! Prometheus metrics, as OpenMetrics text. Labels are few by design: never an
//! id of a job or task, never anything that a client makes up.

use super::problem::Problem;
use super::state::Shared;
use crate::primary::Tally;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::time::Duration;
use wasmhost_core::primary::Totals;
use wasmhost_proto::api::{WorkerState, WorkerView};

/// Seconds: from a view of the core's memory to a large submission.
const BUCKETS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct StateLabel {
    state: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct WorkerLabel {
    worker: String,
}

/// What is counted as it happens; the rest is read when it is asked for.
pub(crate) struct Metrics {
    requests: Family<RequestLabels, Histogram>,
}

impl Metrics {
    /// Nothing counted yet.
    pub(crate) fn new() -> Metrics {
        Metrics {
            requests: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }

    /// Counts an answered request; `route` is the pattern, not the path.
    pub(crate) fn answered(
        &self,
        method: &Method,
        route: &str,
        status: StatusCode,
        took: Duration,
    ) {
        // A client may invent methods: only known ones become labels.
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::DELETE => "DELETE",
            Method::HEAD => "HEAD",
            _ => "other",
        };
        let labels = RequestLabels {
            method,
            route: route.to_owned(),
            status: status.as_u16(),
        };
        self.requests
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    fn registry(
        &self,
        tally: &Tally,
        totals: &Totals,
        workers: &[WorkerView],
        watchers: usize,
    ) -> Registry {
        let mut registry = Registry::default();
        let about = "Duration of HTTP requests until the answer began";
        registry.register(
            "http_request_duration_seconds",
            about,
            self.requests.clone(),
        );
        let own = registry.sub_registry_with_prefix("wasmhost");
        own.register(
            "build",
            "What runs here",
            Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
        );
        own.register(
            "jobs_live",
            "Jobs that have not ended",
            gauge(totals.live_jobs),
        );
        own.register(
            "http_watchers",
            "Event streams open",
            gauge(watchers as u64),
        );

        let about = "Attempts that ended since this primary began";
        own.register("task_runs", about, tally.runs.clone());
        let about = "Wall-clock time of attempts that ended";
        own.register("task_run_duration_seconds", about, tally.durations.clone());
        let about = "Outcomes of superseded attempts that were dropped";
        own.register("late_outcomes", about, tally.late.clone());

        let tasks = Family::<StateLabel, Gauge>::default();
        for (state, count) in [
            ("waiting", totals.waiting_tasks),
            ("running", totals.running_tasks),
        ] {
            tasks
                .get_or_create(&StateLabel { state })
                .set(as_i64(count));
        }
        own.register("tasks", "Tasks of live jobs", tasks);

        let (up, completed) = (
            Family::<WorkerLabel, Gauge>::default(),
            Family::<WorkerLabel, Gauge>::default(),
        );
        let (mut slots, mut running) = (0, 0);
        for worker in workers {
            let label = WorkerLabel {
                worker: worker.name.clone(),
            };
            let is_up = matches!(
                worker.state,
                WorkerState::Up | WorkerState::Draining | WorkerState::Drained
            );
            // Of several workers of one name, one that is up counts.
            let before = up.get_or_create(&label).get();
            up.get_or_create(&label).set(before.max(i64::from(is_up)));
            completed
                .get_or_create(&label)
                .inc_by(as_i64(worker.completed));
            if worker.state != WorkerState::Gone {
                slots += u64::from(worker.slots);
                running += u64::from(worker.running);
            }
        }
        own.register("worker_up", "Whether a worker is connected and heard", up);
        own.register(
            "worker_completed_tasks",
            "Tasks a worker has ended since it connected",
            completed,
        );
        let by_state = Family::<StateLabel, Gauge>::default();
        for (state, count) in [("busy", running), ("free", slots.saturating_sub(running))] {
            by_state
                .get_or_create(&StateLabel { state })
                .set(as_i64(count));
        }
        own.register("worker_slots", "Slots of connected workers", by_state);
        registry
    }
}

fn gauge(value: u64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(as_i64(value));
    gauge
}

fn as_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Metrics for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "get_metrics",
    responses((status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text", body = String)))]
pub(crate) async fn get(State(app): State<Shared>) -> Result<Response, Problem> {
    let (totals, workers) = app
        .ask(|primary, now| (primary.totals(), primary.worker_views(now)))
        .await?;
    let watchers = wasmhost_proto::limits::MAX_WATCHERS - app.watchers.available_permits();
    let mut text = String::new();
    encode(
        &mut text,
        &app.metrics
            .registry(app.handle.tally(), &totals, &workers, watchers),
    )
    .map_err(|e| Problem::fault("the metrics could not be written", &e))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok((
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind))],
        text,
    )
        .into_response())
}
