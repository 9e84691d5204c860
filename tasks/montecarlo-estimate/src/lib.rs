//! `montecarlo-estimate`: makes an estimate of pi out of the hits of
//! `montecarlo`, and says how far to trust it.

use serde::{Deserialize, Serialize};
use wasmhost::{Context, Results, Schema, TaskError};

/// What hit, as `montecarlo` gives it.
#[derive(Serialize, Deserialize, Schema)]
pub struct Hits {
    /// Darts thrown.
    darts: u64,
    /// Those that hit the circle.
    inside: u64,
}

/// An estimate of pi.
#[derive(Serialize, Schema, Debug)]
pub struct Estimate {
    /// The estimate itself.
    pi: f64,
    /// Its standard error.
    standard_error: f64,
    /// Pi lies in here in 95 of 100 games.
    confidence_95: (f64, f64),
    /// The darts that it rests on.
    darts: u64,
}

/// Combines the hits of an array into an estimate of pi.
#[wasmhost::task]
pub fn estimate(ctx: &Context, games: Results<Hits>) -> Result<Estimate, TaskError> {
    let (mut darts, mut inside) = (0u64, 0u64);
    for game in games.iter() {
        let (index, game) = game?;
        if game.inside > game.darts {
            return Err(TaskError::permanent(format_args!(
                "game {index}: more hits than darts"
            )));
        }
        darts += game.darts;
        inside += game.inside;
    }
    if darts == 0 {
        return Err(TaskError::permanent("no dart was thrown"));
    }
    // Each dart is a trial with success probability pi/4.
    let share = inside as f64 / darts as f64;
    let standard_error = 4.0 * (share * (1.0 - share) / darts as f64).sqrt();
    let pi = 4.0 * share;
    ctx.set("pi", pi);
    let reach = 1.959_964 * standard_error;
    Ok(Estimate {
        pi,
        standard_error,
        confidence_95: (pi - reach, pi + reach),
        darts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    fn check(games: &[(u64, u64)], want: Result<(f64, f64), &str>) {
        let games = games
            .iter()
            .enumerate()
            .map(|(at, &(darts, inside))| (at as u32, Hits { darts, inside }));
        let games = Results::gather(games).expect("hits are JSON");
        match (estimate(&Fake::new().context(), games), want) {
            (Ok(got), Ok((pi, standard_error))) => {
                assert!((got.pi - pi).abs() < 1e-12, "{got:?}");
                assert!(
                    (got.standard_error - standard_error).abs() < 1e-12,
                    "{got:?}"
                );
                assert!(got.confidence_95.0 <= pi && pi <= got.confidence_95.1);
            }
            (Err(error), Err(want)) => assert!(error.message().contains(want), "{error}"),
            (got, want) => panic!("{got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn games_add_up() {
        check(&[(100, 80)], Ok((3.2, 0.16)));
        check(&[(60, 50), (40, 30)], Ok((3.2, 0.16)));
        check(&[(0, 0), (10, 10)], Ok((4.0, 0.0)));
    }

    #[test]
    fn nonsense_is_refused() {
        check(&[], Err("no dart was thrown"));
        check(&[(1, 0), (1, 2)], Err("game 1: more hits than darts"));
    }
}
