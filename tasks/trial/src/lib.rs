//! `trial`: one trial of a parameter sweep. Fits a curve to measurements by gradient
//! descent with momentum, for so many steps, and tells how far off it is in the end.
//! Which learning rate and momentum serve best is what `sweep` looks for.

use serde::{Deserialize, Serialize};
use wasmhost::{Context, Schema, TaskError};

/// Measurements to fit.
const POINTS: u32 = 64;
/// Coefficients of the curve.
const DEGREE: usize = 6;
/// Steps between two reports.
const REPORT: u32 = 256;
/// More than this is a mistake, not a wish.
const MAX_STEPS: u32 = 10_000_000;

/// What is tried.
#[derive(Deserialize, Schema, Clone, Copy, Debug)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// How far each step goes.
    pub rate: f64,
    /// How much of the last step each step keeps; below 1.
    pub momentum: f64,
    /// How many steps.
    pub steps: u32,
}

/// How it went.
#[derive(Serialize, Schema, Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
    /// The mean square of the distances from the measurements; none when the descent
    /// went astray.
    pub loss: Option<f64>,
}

/// Fits a curve with the given rate and momentum.
#[wasmhost::task]
pub fn run(ctx: &Context, trial: Trial) -> Result<Outcome, TaskError> {
    if !(0.0..1.0).contains(&trial.momentum) || trial.rate <= 0.0 || trial.steps > MAX_STEPS {
        return Err(TaskError::permanent(format_args!(
            "rate {}, momentum {}, {} steps: the rate must be above 0, the momentum from 0 to below 1, \
             the steps at most {MAX_STEPS}",
            trial.rate, trial.momentum, trial.steps
        )));
    }
    let (mut curve, mut speed) = ([0.0; DEGREE], [0.0; DEGREE]);
    for step in 0..trial.steps {
        if step % REPORT == 0 {
            ctx.check_cancelled()?;
            ctx.progress(u64::from(step), u64::from(trial.steps));
            ctx.set("loss", loss(&curve));
        }
        let slope = gradient(&curve);
        for i in 0..DEGREE {
            speed[i] = trial.momentum * speed[i] - trial.rate * slope[i];
            curve[i] += speed[i];
        }
    }
    let loss = loss(&curve);
    ctx.progress(u64::from(trial.steps), u64::from(trial.steps));
    ctx.set("loss", loss);
    Ok(Outcome {
        loss: Some(loss).filter(|loss| loss.is_finite()),
    })
}

/// The n-th measurement: where, and what.
fn measured(n: u32) -> (f64, f64) {
    let x = f64::from(n) / f64::from(POINTS - 1) * 2.0 - 1.0;
    // Noise that is the same in each trial.
    let noise = f64::from(n.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
    (x, (3.0 * x).sin() + 0.1 * noise)
}

/// Legendre's polynomials at a point: their gradients do not hamper each other.
fn basis(x: f64) -> [f64; DEGREE] {
    let mut p = [1.0; DEGREE];
    p[1] = x;
    for n in 2..DEGREE {
        let k = n as f64;
        p[n] = ((2.0 * k - 1.0) * x * p[n - 1] - (k - 1.0) * p[n - 2]) / k;
    }
    p
}

fn miss(curve: &[f64; DEGREE], x: f64, y: f64) -> f64 {
    let at: f64 = curve.iter().zip(basis(x)).map(|(c, p)| c * p).sum();
    at - y
}

fn loss(curve: &[f64; DEGREE]) -> f64 {
    let squares = (0..POINTS)
        .map(measured)
        .map(|(x, y)| miss(curve, x, y).powi(2));
    squares.sum::<f64>() / f64::from(POINTS)
}

fn gradient(curve: &[f64; DEGREE]) -> [f64; DEGREE] {
    let mut slope = [0.0; DEGREE];
    for (x, y) in (0..POINTS).map(measured) {
        let miss = miss(curve, x, y);
        for (slope, p) in slope.iter_mut().zip(basis(x)) {
            *slope += 2.0 * miss * p / f64::from(POINTS);
        }
    }
    slope
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    fn check(rate: f64, momentum: f64, steps: u32) -> Option<f64> {
        let trial = Trial {
            rate,
            momentum,
            steps,
        };
        run(&Fake::new().context(), trial).unwrap().loss
    }

    #[test]
    fn more_steps_come_closer_and_large_ones_go_astray() {
        let (few, many) = (check(0.3, 0.5, 20).unwrap(), check(0.3, 0.5, 400).unwrap());
        assert!(many < few && many < 0.01, "{few} {many}");
        assert_eq!(check(40.0, 0.9, 2_000), None);
    }

    #[test]
    fn nonsense_is_refused() {
        for trial in [
            r#"{"rate":0,"momentum":0,"steps":1}"#,
            r#"{"rate":1,"momentum":1,"steps":1}"#,
            r#"{"rate":1,"momentum":0,"steps":4000000000}"#,
        ] {
            assert!(Fake::new().call(run, trial.as_bytes()).is_err(), "{trial}");
        }
    }
}
