//! Says at once which jobs no worker could run that takes work. The core decides; here it is
//! asked, and its answer put into words.

use super::batch::of_job;
use super::problem::Problem;
use super::state::App;
use crate::output::human::memory;
use crate::primary::batch_key;
use wasmhost_core::primary::Unfit;
use wasmhost_proto::api::{CheckView, Diagnostic};
use wasmhost_proto::grants::GrantKind;
use wasmhost_proto::limits::MAX_DIAGNOSTICS;
use wasmhost_proto::plan::JobPlan;

/// Workers that are named as offering something.
const MAX_OFFERING: usize = 16;

/// Gives a plan back that some worker could run, or while there is no worker.
pub(crate) async fn require(
    app: &App,
    plan: JobPlan,
    key: Option<&str>,
) -> Result<JobPlan, Problem> {
    let look = app.ask(move |primary, _| (primary.unfit(&plan, MAX_DIAGNOSTICS), plan));
    let (unfit, plan) = look.await?;
    if unfit.is_empty() || is_known(app, key).await? {
        return Ok(plan);
    }
    Err(refusal(unfit.iter().map(diagnostic).collect()))
}

/// The same for several, but for those that wait for what they need.
pub(crate) async fn require_all(
    app: &App,
    plans: Vec<JobPlan>,
    waits: Vec<bool>,
    key: Option<&str>,
) -> Result<Vec<JobPlan>, Problem> {
    if waits.iter().all(|waits| *waits) {
        return Ok(plans);
    }
    let look = app.ask(move |primary, _| {
        let mut unfit: Vec<(usize, Unfit)> = Vec::new();
        for (n, (plan, _)) in plans.iter().zip(&waits).enumerate().filter(|job| !job.1.1) {
            let found = primary.unfit(plan, MAX_DIAGNOSTICS - unfit.len());
            unfit.extend(found.into_iter().map(|found| (n, found)));
        }
        (unfit, plans)
    });
    let (unfit, plans) = look.await?;
    let known = key.map(|key| batch_key(key, 0));
    if unfit.is_empty() || is_known(app, known.as_deref()).await? {
        return Ok(plans);
    }
    let errors = unfit.iter().map(|(n, unfit)| of_job(*n, diagnostic(unfit)));
    Err(refusal(errors.collect()))
}

/// Says which workers offer what the tasks of a definition ask for.
pub(crate) async fn offered(app: &App, mut view: CheckView) -> Result<CheckView, Problem> {
    if view.nodes.iter().all(|node| node.grants.is_empty()) {
        return Ok(view);
    }
    let look = app.ask(move |primary, _| {
        let grants = view.nodes.iter_mut().flat_map(|node| &mut node.grants);
        for grant in grants {
            let kind = GrantKind::ALL
                .into_iter()
                .find(|kind| kind.to_string() == grant.kind);
            let offering = |kind| primary.offering(kind, &grant.name, MAX_OFFERING);
            if let Some(kind) = kind.filter(|kind| kind.is_offered()) {
                grant.offered_by = offering(kind);
            }
        }
        view
    });
    look.await
}

/// A repetition gets the first job, whatever has become of the workers since.
async fn is_known(app: &App, key: Option<&str>) -> Result<bool, Problem> {
    let Some(key) = key.map(str::to_owned) else {
        return Ok(false);
    };
    let job = app.read(move |store| store.job_by_key(&key)).await?;
    Ok(job.is_some())
}

fn refusal(errors: Vec<Diagnostic>) -> Problem {
    Problem::invalid("no_capacity", "no worker that takes work could run all of it")
        .help("Or submit it all the same, for a worker that is to come: `--wait-for-capacity` (`wait_for_capacity`).")
        .errors(errors)
}

/// What a node asks for, what the workers offer, and what to do.
fn diagnostic(unfit: &Unfit) -> Diagnostic {
    let Unfit { node, asked, .. } = unfit;
    let mut whys = Vec::new();
    let mut helps = Vec::new();
    if let Some((worker, most)) = &unfit.memory {
        let (asked, most) = (memory(*asked), memory(*most));
        whys.push(format!(
            "it may use {asked} of memory, and worker '{worker}' offers most, {most}"
        ));
        helps.push(format!(
            "lower its `limits.memory`, or start a worker with --memory {}",
            asked.replace(' ', "")
        ));
    }
    if let Some((worker, most)) = &unfit.scratch {
        let asked = memory(unfit.room);
        whys.push(match most {
            0 => format!("it has files, and worker '{worker}' offers none"),
            most => format!(
                "it asks for {asked} of scratch, and worker '{worker}' offers most, {}",
                memory(*most)
            ),
        });
        helps.push(match most {
            0 => "the log of a worker says at its start why it offers no files".to_owned(),
            _ => format!(
                "lower its `scratch`, or start a worker whose settings have `scratch = \"{}\"`",
                asked.replace(' ', "")
            ),
        });
    }
    if let Some((kind, name, worker)) = &unfit.lacks {
        whys.push(format!(
            "it asks for the {kind} '{name}', which worker '{worker}' does not offer"
        ));
        helps.push(format!(
            "start a worker whose settings have {}",
            kind.offer(name)
        ));
    }
    if let Some((worker, why)) = &unfit.rejected {
        whys.push(format!("worker '{worker}' rejected its module: {why}"));
        helps.push("give it another module, or connect a worker that takes this one".into());
    }
    Diagnostic {
        code: "no-capacity".into(),
        message: format!("no worker can run '{node}': {}", whys.join("; ")),
        help: Some(helps.join("; ")),
        span: None,
        file: None,
    }
}
