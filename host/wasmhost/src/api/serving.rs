//! The driver that the primary was started with: what it runs is compiled from a stored
//! definition when the primary starts, and again when that definition changes.

use super::problem::Problem;
use super::state::App;
use super::{stored, submission};
use std::sync::{Mutex, PoisonError};
use wasmhost_proto::api::{DriverView, StoredName, SubmitRequest};
use wasmhost_proto::input::Array;
use wasmhost_proto::plan::{DefinitionRef, JobPlan, OnFailure};

/// What the primary's driver is.
pub(crate) struct Serving {
    /// What `--driver` names; none without it.
    name: Option<StoredName>,
    loaded: Mutex<Loaded>,
    /// It is loaded by one at a time, or an older version could come last.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Loaded {
    definition: Option<DefinitionRef>,
    tasks: Vec<String>,
    error: Option<String>,
}

impl Serving {
    /// Nothing is loaded yet.
    pub(crate) fn new(name: Option<StoredName>) -> Serving {
        Serving {
            name,
            loaded: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn loaded(&self) -> Loaded {
        let loaded = self.loaded.lock();
        loaded.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is loaded, or why nothing is.
    pub(crate) fn view(&self) -> DriverView {
        let Loaded {
            definition,
            tasks,
            error,
        } = self.loaded();
        DriverView {
            name: self.name.as_ref().map(ToString::to_string),
            definition,
            tasks,
            error,
            ..DriverView::default()
        }
    }

    /// Whether it is made from this definition.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.name.as_ref().is_some_and(|driver| driver.name == name)
    }
}

/// Loads the driver and hands it to the primary; says in the log what came of it.
pub(crate) async fn load(app: &App) -> Result<(), Problem> {
    let Some(name) = &app.serving.name else {
        return serve(app, None).await;
    };
    let _turn = app.serving.turn.lock().await;
    let loaded = match plan(app, name).await {
        Ok(plan) => {
            let loaded = Loaded {
                definition: plan.definition.clone(),
                tasks: startable(&plan),
                error: None,
            };
            serve(app, Some(plan)).await?;
            tracing::info!("the driver '{name}' is loaded");
            loaded
        }
        Err(problem) => {
            serve(app, None).await?;
            let error = problem.to_string();
            tracing::error!(
                "the driver '{name}' cannot be loaded, and requests are refused: {error}; \
                 it is tried again when `wasmhost definition apply` stores a version of it"
            );
            Loaded {
                error: Some(error),
                ..Loaded::default()
            }
        }
    };
    let current = app.serving.loaded.lock();
    *current.unwrap_or_else(PoisonError::into_inner) = loaded;
    Ok(())
}

async fn serve(app: &App, plan: Option<JobPlan>) -> Result<(), Problem> {
    let served = app.handle.serve(plan).await;
    served.map_err(|_| Problem::stopping())
}

/// The job that the driver runs as.
async fn plan(app: &App, name: &StoredName) -> Result<JobPlan, Problem> {
    let request = SubmitRequest {
        stored: Some(name.to_string()),
        ..SubmitRequest::default()
    };
    let whole = stored::complete(app, request).await?;
    let (_held, planned) = submission::plan(app, whole).await?;
    let plan = submission::keep(app, planned).await?;
    submission::require_blobs(app, submission::blobs_of(&plan)).await?;
    if plan.nodes.iter().filter(|node| node.driver).count() != 1 {
        let title = format!("'{name}' has not one driver: one of its tasks says `driver = true`");
        return Err(Problem::invalid("no_driver", title));
    }
    Ok(JobPlan {
        serves: true,
        // What it has started goes on when the driver itself fails.
        on_failure: OnFailure::Continue,
        ..plan
    })
}

/// The tasks that its driver starts.
fn startable(plan: &JobPlan) -> Vec<String> {
    let nodes = plan.nodes.iter();
    let started = nodes.filter(|node| matches!(node.array, Array::Spawned(_)));
    started.map(|node| node.name.clone()).collect()
}
