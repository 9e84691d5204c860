//! `sweep`: a driver that looks for the best parameters by successive halving. It tries
//! all of them for a few steps, keeps the better half for twice as many, and so on; when
//! a trial is good enough, it gives up the others.

use serde::{Deserialize, Serialize};
use wasmhost::{Context, Ended, Schema, TaskError};

/// The name of the tasks that it starts.
const TRIAL: &str = "trial";
/// Parameters to try at most.
const MAX_TRIALS: usize = 1024;

/// What to look for.
#[derive(Deserialize, Schema, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Learning rates to try.
    pub rates: Vec<f64>,
    /// Momenta to try with each.
    pub momenta: Vec<f64>,
    /// Steps of the first round.
    pub steps: u32,
    /// A loss that is good enough.
    pub goal: f64,
}

/// One pair of parameters, and how far its last trial was off.
#[derive(Serialize, Schema, Clone, Copy, PartialEq, Debug)]
pub struct Best {
    /// The learning rate.
    pub rate: f64,
    /// The momentum.
    pub momentum: f64,
    /// The loss.
    pub loss: f64,
}

/// What was found.
#[derive(Serialize, Schema, Clone, PartialEq, Debug)]
pub struct Found {
    /// The best parameters.
    pub best: Best,
    /// Rounds that it took.
    pub rounds: u32,
    /// Trials that were run to their end.
    pub trials: u32,
    /// Trials that were given up because another one was good enough.
    pub given_up: u32,
    /// Whether the goal was reached.
    pub reached: bool,
}

#[derive(Serialize, Clone, Copy)]
struct Trial {
    rate: f64,
    momentum: f64,
    steps: u32,
}

#[derive(Deserialize)]
struct Outcome {
    loss: Option<f64>,
}

/// Looks for the best parameters.
#[wasmhost::task]
pub fn sweep(ctx: &Context, sweep: Sweep) -> Result<Found, TaskError> {
    let pairs = sweep
        .rates
        .iter()
        .flat_map(|rate| sweep.momenta.iter().map(|m| (*rate, *m)));
    let mut left: Vec<(f64, f64)> = pairs.collect();
    if left.is_empty() || left.len() > MAX_TRIALS {
        return Err(TaskError::permanent(format_args!(
            "{} pairs of rate and momentum: give 1 to {MAX_TRIALS}",
            left.len()
        )));
    }
    let (mut found, mut steps) = (None, sweep.steps);
    let (mut rounds, mut trials, mut given_up) = (0, 0, 0);
    while !left.is_empty() {
        rounds += 1;
        ctx.progress_with(
            0,
            left.len() as u64,
            format!("round {rounds}: {} trials of {steps} steps", left.len()),
        );
        let mut tried = round(ctx, rounds, &left, steps, sweep.goal)?;
        trials += tried.ended.len() as u32;
        given_up += tried.given_up;
        tried.ended.sort_by(|a, b| a.loss.total_cmp(&b.loss));
        let Some(best) = tried
            .ended
            .first()
            .copied()
            .filter(|best| best.loss.is_finite())
        else {
            break;
        };
        ctx.set("best rate", best.rate);
        ctx.set("best momentum", best.momentum);
        ctx.set("best loss", best.loss);
        found = Some(best);
        if best.loss <= sweep.goal || left.len() == 1 {
            break;
        }
        let half = tried.ended.len().div_ceil(2);
        let better = tried.ended.iter().take(half).filter(|t| t.loss.is_finite());
        left = better.map(|t| (t.rate, t.momentum)).collect();
        steps = steps.saturating_mul(2);
    }
    let best =
        found.ok_or_else(|| TaskError::permanent("every trial went astray: try smaller rates"))?;
    Ok(Found {
        best,
        rounds,
        trials,
        given_up,
        reached: best.loss <= sweep.goal,
    })
}

/// The trials of a round.
struct Tried {
    /// Those that ended; a loss that is not finite went astray.
    ended: Vec<Best>,
    given_up: u32,
}

/// Tries every pair; stops when one is good enough.
fn round(
    ctx: &Context,
    round: u32,
    pairs: &[(f64, f64)],
    steps: u32,
    goal: f64,
) -> Result<Tried, TaskError> {
    // Keys say what a trial is for: a driver that is tried again finds them.
    let key = |at: usize| format!("{round}/{at}");
    for (at, (rate, momentum)) in pairs.iter().enumerate() {
        let trial = Trial {
            rate: *rate,
            momentum: *momentum,
            steps,
        };
        ctx.spawn(key(at), TRIAL, &trial)?;
    }
    let mut tried = Tried {
        ended: Vec::new(),
        given_up: 0,
    };
    let mut stopping = false;
    while let Some(ended) = ctx.wait() {
        if ended.result.is_err() && stopping {
            tried.given_up += 1;
            continue;
        }
        let best = read(&ended, pairs)?;
        tried.ended.push(best);
        ctx.progress(tried.ended.len() as u64, pairs.len() as u64);
        if best.loss <= goal && !stopping {
            stopping = true;
            (0..pairs.len()).for_each(|at| ctx.cancel_task(key(at)));
        }
    }
    ctx.check_cancelled()?;
    Ok(tried)
}

fn read(ended: &Ended, pairs: &[(f64, f64)]) -> Result<Best, TaskError> {
    let at = ended
        .key
        .split_once('/')
        .and_then(|(_, at)| at.parse::<usize>().ok());
    let pair = at.and_then(|at| pairs.get(at));
    let (rate, momentum) = pair
        .ok_or_else(|| TaskError::permanent(format_args!("no trial is called '{}'", ended.key)))?;
    let outcome: Outcome = ended.json()?;
    Ok(Best {
        rate: *rate,
        momentum: *momentum,
        loss: outcome.loss.unwrap_or(f64::INFINITY),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wasmhost::serde_json::{self, Value, json};
    use wasmhost::testing::Fake;

    /// Trials whose loss is the distance from rate 0.3 and momentum 0.8, halved with the steps.
    fn fake() -> Fake {
        Fake::new().driver(|task, input| {
            assert_eq!(task, "trial");
            let trial: Value = serde_json::from_slice(input).unwrap();
            let number = |key: &str| trial[key].as_f64().unwrap();
            let miss = (number("rate") - 0.3).abs() + (number("momentum") - 0.8).abs();
            let loss = (number("rate") < 1.0).then_some((miss + 0.1) / number("steps"));
            Ok(json!({ "loss": loss }).to_string().into_bytes())
        })
    }

    fn check(goal: f64, rounds: u32, reached: bool) -> Found {
        let sweep = Sweep {
            rates: vec![0.1, 0.3, 0.9, 5.0],
            momenta: vec![0.5, 0.8],
            steps: 10,
            goal,
        };
        let found = super::sweep(&fake().context(), sweep).unwrap();
        assert_eq!(
            (found.best.rate, found.best.momentum),
            (0.3, 0.8),
            "{found:?}"
        );
        assert_eq!(
            (found.rounds, found.reached),
            (rounds, reached),
            "{found:?}"
        );
        found
    }

    #[test]
    fn the_better_half_goes_on_until_it_is_good_enough() {
        let all = check(0.0, 4, false);
        assert_eq!((all.trials, all.given_up), (8 + 4 + 2 + 1, 0));
        let early = check(0.01, 1, true);
        assert_eq!(early.trials + early.given_up, 8);
        assert!(early.given_up > 0);
    }

    #[test]
    fn nonsense_is_refused() {
        for sweep in [
            r#"{"rates":[],"momenta":[0.5],"steps":1,"goal":0}"#,
            r#"{"rates":[9],"momenta":[0.5],"steps":1,"goal":0}"#,
        ] {
            assert!(
                fake().call(super::sweep, sweep.as_bytes()).is_err(),
                "{sweep}"
            );
        }
    }
}
