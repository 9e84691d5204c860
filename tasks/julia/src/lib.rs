//! `julia`: computes one frame of an animation of Julia sets. The array's index says
//! which: the set's parameter goes once round a circle. `julia-apng` puts the frames
//! together.

use serde::Deserialize;
use wasmhost::{Bytes, Context, Schema, TaskError};

/// A frame larger than this is a mistake, not a wish.
const MAX_SIDE: u32 = 4096;
/// Steps after which a point counts as part of the set.
const STEPS: u32 = 300;
/// Who is so far away has escaped; large, so that shades are smooth.
const FAR: f64 = 64.0;
/// The radius of the parameter's circle: the most varied sets lie on it.
const RADIUS: f64 = 0.7885;

/// What a frame looks like.
#[derive(Deserialize, Schema, Clone, Copy, Debug)]
#[serde(default, deny_unknown_fields)]
pub struct Frame {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// What the frame spans from left to right.
    pub span: f64,
}

impl Default for Frame {
    /// The whole set, in 320 by 240 pixels.
    fn default() -> Frame {
        Frame {
            width: 320,
            height: 240,
            span: 3.0,
        }
    }
}

/// Computes one frame: width and height, four bytes each, then a shade for each pixel.
#[wasmhost::task]
pub fn frame(ctx: &Context, frame: Option<Frame>) -> Result<Bytes, TaskError> {
    let frame = frame.unwrap_or_default();
    let sides = 1..=MAX_SIDE;
    if !sides.contains(&frame.width) || !sides.contains(&frame.height) {
        return Err(TaskError::permanent(format_args!(
            "{} by {} pixels: each side must have 1 to {MAX_SIDE}",
            frame.width, frame.height
        )));
    }
    let angle = std::f64::consts::TAU * f64::from(ctx.index()) / f64::from(ctx.count());
    let parameter = (RADIUS * angle.cos(), RADIUS * angle.sin());
    let pixel = frame.span / f64::from(frame.width);
    let at = |n: u32, side: u32| (f64::from(n) + 0.5 - f64::from(side) / 2.0) * pixel;
    let mut bytes = [frame.width.to_le_bytes(), frame.height.to_le_bytes()].concat();
    for y in 0..frame.height {
        ctx.check_cancelled()?;
        ctx.progress(u64::from(y) + 1, u64::from(frame.height));
        let row =
            (0..frame.width).map(|x| escape((at(x, frame.width), at(y, frame.height)), parameter));
        bytes.extend(row);
    }
    Ok(bytes.into())
}

/// The shade of a point: 0 escapes at once, 254 after many steps of z² + c, 255 never.
fn escape(point: (f64, f64), c: (f64, f64)) -> u8 {
    let (mut a, mut b) = point;
    for step in 0..STEPS {
        let (aa, bb) = (a * a, b * b);
        if aa + bb > FAR * FAR {
            // The normalised iteration count: without bands of equal steps.
            let steps = f64::from(step) + 1.0 - ((aa + bb).ln() / 2.0 / FAR.ln()).log2();
            return (steps.max(0.0).ln_1p() / f64::from(STEPS).ln() * 254.0).min(254.0) as u8;
        }
        b = 2.0 * a * b + c.1;
        a = aa - bb + c.0;
    }
    255
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    #[test]
    fn a_frame_is_point_symmetric_and_the_first_is_not_the_second() {
        let small = Frame {
            width: 31,
            height: 20,
            ..Frame::default()
        };
        let render = |index: u32| {
            let fake = Fake::new().index(index).count(60);
            frame(&fake.context(), Some(small)).unwrap().0
        };
        let first = render(0);
        assert_eq!((first.len(), first[0], first[4]), (8 + 31 * 20, 31, 20));
        let mut turned = first[8..].to_vec();
        turned.reverse();
        assert_eq!(turned, first[8..]);
        assert_ne!(first, render(1));
    }

    #[test]
    fn nonsense_is_refused() {
        let error = Fake::new().call(frame, br#"{"width":0}"#).unwrap_err();
        assert!(error.message().contains("0 by 240 pixels"), "{error}");
    }
}
