//! `julia-apng`: puts the frames of `julia` together into one animated PNG. Holds one
//! frame at a time beside the compressed animation.

use wasmhost::{Bytes, Context, Results, TaskError};

/// Frames a second.
const RATE: u16 = 20;
/// Width and height.
const HEAD: usize = 8;

/// Puts the frames of an animation together.
#[wasmhost::task]
pub fn assemble(ctx: &Context, frames: Results<Bytes>) -> Result<Bytes, TaskError> {
    let total = frames.iter().count();
    let mut frames = frames.iter();
    let mut next = || frames.next().transpose();
    let Some((_, first)) = next()? else {
        return Err(TaskError::permanent(
            "an animation needs at least one frame",
        ));
    };
    let (width, height) = size(&first).ok_or_else(|| broken(0))?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette());
    encoder.set_animated(u32::try_from(total)?, 0)?;
    encoder.set_frame_delay(1, RATE)?;
    let mut writer = encoder.write_header()?;
    let mut frame = Some((0, first));
    let mut done = 0;
    while let Some((index, bytes)) = frame {
        ctx.check_cancelled()?;
        if size(&bytes) != Some((width, height)) {
            return Err(broken(index));
        }
        writer.write_image_data(&bytes.0[HEAD..])?;
        done += 1;
        ctx.progress(done, total as u64);
        frame = next()?;
    }
    writer.finish()?;
    ctx.set("bytes", bytes.len());
    Ok(bytes.into())
}

fn broken(index: u32) -> TaskError {
    TaskError::permanent(format_args!(
        "the result of index {index} is no frame of this animation"
    ))
}

/// Width and height of a frame that is one.
fn size(frame: &Bytes) -> Option<(u32, u32)> {
    let (width, rest) = frame.0.split_first_chunk()?;
    let (height, pixels) = rest.split_first_chunk()?;
    let (width, height) = (u32::from_le_bytes(*width), u32::from_le_bytes(*height));
    (pixels.len() as u64 == u64::from(width) * u64::from(height)).then_some((width, height))
}

/// From night over blue and white to gold and red; black for what never escapes.
fn palette() -> Vec<u8> {
    const STOPS: [[f64; 3]; 6] = [
        [4.0, 6.0, 30.0],
        [20.0, 60.0, 150.0],
        [60.0, 160.0, 220.0],
        [245.0, 250.0, 235.0],
        [255.0, 170.0, 30.0],
        [150.0, 20.0, 20.0],
    ];
    let colour = |shade: u32| -> [u8; 3] {
        if shade == 255 {
            return [0; 3];
        }
        let place = f64::from(shade) / 255.0 * (STOPS.len() - 1) as f64;
        let (stop, share) = (place as usize, place.fract());
        std::array::from_fn(|i| {
            (STOPS[stop][i] + (STOPS[stop + 1][i] - STOPS[stop][i]) * share) as u8
        })
    };
    (0..=255).flat_map(colour).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    fn frame(width: u32, height: u32, fill: u8) -> Bytes {
        let mut bytes = [width.to_le_bytes(), height.to_le_bytes()].concat();
        bytes.resize(HEAD + (width * height) as usize, fill);
        Bytes(bytes)
    }

    fn gathered(frames: Vec<Bytes>) -> Results<Bytes> {
        Results::gather((0..).zip(frames)).unwrap()
    }

    #[test]
    fn frames_make_an_animation() {
        let frames: Vec<Bytes> = (0..5).map(|n| frame(6, 4, n * 50)).collect();
        let bytes = assemble(&Fake::new().context(), gathered(frames))
            .unwrap()
            .0;
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        assert_eq!(reader.info().animation_control().unwrap().num_frames, 5);
        assert_eq!((reader.info().width, reader.info().height), (6, 4));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        for _ in 0..5 {
            reader.next_frame(&mut pixels).unwrap();
        }
        assert!(reader.next_frame(&mut pixels).is_err());
    }

    #[test]
    fn frames_of_another_size_are_refused() {
        let check = |frames: Vec<Bytes>, want: &str| {
            let error = assemble(&Fake::new().context(), gathered(frames)).unwrap_err();
            assert!(error.message().contains(want), "{error}");
        };
        check(vec![], "at least one");
        check(vec![Bytes(vec![1, 2])], "index 0");
        check(vec![frame(6, 4, 0), frame(4, 6, 0)], "index 1");
    }
}
