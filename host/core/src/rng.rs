//! A small seeded generator, so that a seed replays a schedule exactly. Not for secrets.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to and without `end`; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }
}

/// `base * 2^(n-1)` up to `max`, of which a random half is taken off: the wait
/// before the n-th repetition, counted from 1. Milliseconds in and out.
pub(crate) fn backoff_ms(rng: &mut Rng, n: u32, base: u64, max: u64) -> u64 {
    let doubled = match n.saturating_sub(1) {
        shift @ 0..=62 => base.saturating_mul(1 << shift),
        _ => u64::MAX,
    };
    let whole = doubled.min(max);
    whole - rng.below(whole / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_and_ends() {
        let mut rng = Rng::new(7);
        for (n, whole) in [(1, 100), (2, 200), (3, 400), (9, 1000), (200, 1000)] {
            for _ in 0..50 {
                let got = backoff_ms(&mut rng, n, 100, 1000);
                assert!((whole / 2..=whole).contains(&got), "{n}: {got}");
            }
        }
        assert_eq!(backoff_ms(&mut rng, 3, 0, 0), 0);
    }
}
