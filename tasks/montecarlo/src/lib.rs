//! `montecarlo`: throws darts at a square and counts those in the circle. Each
//! index of an array has a stream of random numbers of its own, so more indexes
//! make a better estimate; `montecarlo-estimate` combines them.

use serde::{Deserialize, Serialize};
use wasmhost::{Context, Schema, TaskError};

/// Darts between two looks at the rest of the world.
const DARTS_PER_LOOK: u64 = 1 << 16;

/// How many darts to throw.
#[derive(Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Game {
    /// Darts per index.
    darts: u64,
    /// Other seeds give other games; the same seed gives the same one.
    #[serde(default)]
    seed: u64,
}

/// What hit.
#[derive(Serialize, Schema, PartialEq, Eq, Debug)]
pub struct Hits {
    /// Darts thrown.
    darts: u64,
    /// Those that hit the circle.
    inside: u64,
}

/// Throws darts at a square and counts those that hit the circle in it.
#[wasmhost::task]
pub fn throw(ctx: &Context, game: Game) -> Result<Hits, TaskError> {
    let mut random = SplitMix64::new(game.seed, ctx.index());
    let (mut thrown, mut inside) = (0, 0);
    while thrown < game.darts {
        ctx.check_cancelled()?;
        ctx.progress(thrown, game.darts);
        let round = DARTS_PER_LOOK.min(game.darts - thrown);
        for _ in 0..round {
            let (x, y) = (random.unit(), random.unit());
            inside += u64::from(x * x + y * y < 1.0);
        }
        thrown += round;
        ctx.set("pi", 4.0 * inside as f64 / thrown as f64);
    }
    ctx.progress(thrown, game.darts);
    Ok(Hits {
        darts: thrown,
        inside,
    })
}

/// Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
struct SplitMix64(u64);

impl SplitMix64 {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

    /// Streams start at mixed, hence unrelated, places of one long cycle.
    fn new(seed: u64, index: u32) -> SplitMix64 {
        let mut start = SplitMix64(seed);
        start.0 = start.next().wrapping_add(u64::from(index));
        SplitMix64(start.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::GAMMA);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// From 0 to 1, in steps of 2^-53.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    fn hits(index: u32, darts: u64, seed: u64) -> Hits {
        let fake = Fake::new().index(index);
        throw(&fake.context(), Game { darts, seed }).expect("nobody cancels")
    }

    #[test]
    fn random_numbers_are_those_of_the_paper() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_differ_and_repeat() {
        assert_eq!(hits(3, 100_000, 1), hits(3, 100_000, 1));
        assert_ne!(hits(3, 100_000, 1), hits(4, 100_000, 1));
        assert_ne!(hits(3, 100_000, 1), hits(3, 100_000, 2));
        assert_eq!(
            hits(0, 0, 0),
            Hits {
                darts: 0,
                inside: 0
            }
        );
    }

    #[test]
    fn a_quarter_of_pi_hits() {
        let Hits { darts, inside } = hits(0, 200_000, 9);
        let pi = 4.0 * inside as f64 / darts as f64;
        // Five standard errors; the game is the same every time.
        assert!((pi - std::f64::consts::PI).abs() < 0.02, "{pi}");
    }
}
