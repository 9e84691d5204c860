//! `mandelbrot`: computes one tile of a picture of the Mandelbrot set. The
//! array's index says which tile; `mandelbrot-png` puts the tiles together.

pub mod tile;

use serde::Deserialize;
use tile::Tile;
use wasmhost::{Bytes, Context, Schema, TaskError};

/// A picture larger than this is a mistake, not a wish.
const MAX_SIDE: u32 = 32_768;
/// Beyond this radius a point has escaped; large, so that colours are smooth.
const ESCAPE: f64 = 256.0;

/// The picture that the tiles make.
#[derive(Deserialize, Schema, Clone, Debug)]
#[serde(default, deny_unknown_fields)]
pub struct Picture {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// The point in the middle, as real and imaginary part.
    pub center: (f64, f64),
    /// What the picture spans from left to right.
    pub span: f64,
    /// After so many steps a point counts as part of the set.
    pub iterations: u32,
}

impl Default for Picture {
    /// The whole set, in 1600 by 1200 pixels.
    fn default() -> Picture {
        Picture {
            width: 1600,
            height: 1200,
            center: (-0.65, 0.0),
            span: 3.3,
            iterations: 500,
        }
    }
}

/// Computes the rows of a picture of the Mandelbrot set that fall to this index.
#[wasmhost::task]
pub fn tile(ctx: &Context, picture: Option<Picture>) -> Result<Bytes, TaskError> {
    let picture = picture.unwrap_or_default();
    let sides = 1..=MAX_SIDE;
    if !sides.contains(&picture.width) || !sides.contains(&picture.height) {
        return Err(TaskError::permanent(format_args!(
            "{} by {} pixels: each side must have 1 to {MAX_SIDE}",
            picture.width, picture.height
        )));
    }
    let edge =
        |index: u32| (u64::from(picture.height) * u64::from(index) / u64::from(ctx.count())) as u32;
    let rows = edge(ctx.index())..edge(ctx.index() + 1);
    let (first, total) = (rows.start, u64::from(rows.end - rows.start));
    let mut rgb = Vec::with_capacity(3 * picture.width as usize * rows.len());
    let mut inside = 0u64;
    for y in rows {
        ctx.check_cancelled()?;
        ctx.progress(u64::from(y - first), total);
        for x in 0..picture.width {
            let steps = picture.escape(x, y);
            inside += u64::from(steps.is_none());
            rgb.extend(colour(steps));
        }
    }
    ctx.progress(total, total);
    ctx.set("inside", inside);
    let Picture { width, height, .. } = picture;
    let tile = Tile {
        width,
        height,
        first,
        rgb,
    };
    Ok(tile.encode().into())
}

impl Picture {
    /// After how many steps a pixel's point escapes, with a fraction; none if it stays.
    fn escape(&self, x: u32, y: u32) -> Option<f64> {
        let pixel = self.span / f64::from(self.width);
        let at = |n: u32, side: u32| (f64::from(n) + 0.5 - f64::from(side) / 2.0) * pixel;
        let (re, im) = (
            self.center.0 + at(x, self.width),
            self.center.1 - at(y, self.height),
        );
        // Two thirds of the set's area need no steps: the main cardioid and the disc beside it.
        let q = (re - 0.25).powi(2) + im * im;
        if q * (q + re - 0.25) <= 0.25 * im * im || (re + 1.0).powi(2) + im * im <= 0.0625 {
            return None;
        }
        let (mut a, mut b) = (0.0f64, 0.0f64);
        for n in 0..self.iterations {
            let (aa, bb) = (a * a, b * b);
            if aa + bb > ESCAPE * ESCAPE {
                // The normalised iteration count: continuous across the bands of equal n.
                let fraction = ((aa + bb).ln() / 2.0 / ESCAPE.ln()).log2();
                return Some(f64::from(n) - fraction);
            }
            b = 2.0 * a * b + im;
            a = aa - bb + re;
        }
        None
    }
}

/// Black inside; outside a palette that runs from deep blue over white and gold.
fn colour(steps: Option<f64>) -> [u8; 3] {
    const STOPS: [[f64; 3]; 5] = [
        [0.0, 7.0, 100.0],
        [32.0, 107.0, 203.0],
        [237.0, 255.0, 255.0],
        [255.0, 170.0, 0.0],
        [80.0, 20.0, 10.0],
    ];
    let Some(steps) = steps else {
        return [0; 3];
    };
    let place = (steps.max(0.0) + 1.0).ln() * 1.1 % STOPS.len() as f64;
    let (stop, share) = (place as usize, place.fract());
    let (from, to) = (STOPS[stop], STOPS[(stop + 1) % STOPS.len()]);
    std::array::from_fn(|i| (from[i] + (to[i] - from[i]) * share) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    fn small() -> Picture {
        Picture {
            width: 40,
            height: 31,
            ..Picture::default()
        }
    }

    fn render(index: u32, count: u32) -> Tile {
        let fake = Fake::new().index(index).count(count);
        let bytes = tile(&fake.context(), Some(small())).expect("the picture is small");
        Tile::decode(&bytes).expect("a tile")
    }

    #[test]
    fn tiles_make_the_picture() {
        let whole = render(0, 1);
        assert_eq!(whole.rgb.len(), 3 * 40 * 31);
        let rows: Vec<u8> = (0..7).flat_map(|index| render(index, 7).rgb).collect();
        assert_eq!(rows, whole.rgb);
        assert_eq!(render(6, 7).first, 26);
        // More tiles than rows: some are empty.
        assert_eq!(render(0, 100).rgb.len(), 0);
    }

    #[test]
    fn the_set_is_black_and_symmetric() {
        let picture = small();
        assert_eq!(picture.escape(20, 15), None);
        assert!(picture.escape(0, 0).is_some());
        for x in 0..40 {
            assert_eq!(
                picture.escape(x, 3).is_some(),
                picture.escape(x, 27).is_some()
            );
        }
        assert_eq!(colour(None), [0, 0, 0]);
    }

    #[test]
    fn nonsense_is_refused_and_defaults_apply() {
        let fake = Fake::new();
        let error = fake.call(tile, br#"{"width":0}"#).expect_err("no width");
        assert!(error.message().contains("0 by 1200 pixels"), "{error}");
        let error = fake.call(tile, br#"{"widht":1}"#).expect_err("a typo");
        assert!(error.message().contains("widht"), "{error}");
    }
}
