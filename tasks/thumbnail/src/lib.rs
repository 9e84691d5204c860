//! `thumbnail`: makes a small picture out of a large one, PNG or JPEG, in the
//! format that it came in.

use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use wasmhost::{Bytes, Context, TaskError};

/// Neither side of a thumbnail has more pixels.
const SIDE: u32 = 256;
/// Neither side of a picture may have more.
const MAX_SIDE: u32 = 16_384;
/// A decoded picture may take so much; a few kilobytes of PNG can ask for gigabytes.
const MAX_DECODED: u64 = 160 << 20;

/// Makes a PNG or JPEG smaller: at most 256 pixels a side, in the same proportions.
#[wasmhost::task]
pub fn thumbnail(ctx: &Context, picture: Bytes) -> Result<Bytes, TaskError> {
    let mut reader = ImageReader::new(Cursor::new(&*picture)).with_guessed_format()?;
    let format = match reader.format() {
        Some(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ => {
            return Err(TaskError::permanent(
                "the input is neither a PNG nor a JPEG",
            ));
        }
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);

    ctx.progress_with(0, 3, "decoding");
    let picture = reader.decode()?;
    ctx.set(
        "original",
        format!("{}x{}", picture.width(), picture.height()),
    );
    ctx.check_cancelled()?;
    ctx.progress_with(1, 3, "scaling");
    let small = shrink(picture);
    ctx.set("thumbnail", format!("{}x{}", small.width(), small.height()));
    ctx.check_cancelled()?;
    ctx.progress_with(2, 3, "encoding");
    let mut out = Cursor::new(Vec::new());
    small.write_to(&mut out, format)?;
    ctx.progress_with(3, 3, "done");
    Ok(out.into_inner().into())
}

/// A picture that is small enough stays as it is.
fn shrink(picture: DynamicImage) -> DynamicImage {
    match picture.width().max(picture.height()) {
        0..=SIDE => picture,
        _ => picture.thumbnail(SIDE, SIDE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};
    use wasmhost::testing::Fake;

    /// A picture whose left half is red and whose right half is blue.
    fn halves(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
            true => Rgb([250, 0, 0]),
            false => Rgb([0, 0, 250]),
        });
        let mut out = Cursor::new(Vec::new());
        picture.write_to(&mut out, format).expect("it encodes");
        out.into_inner()
    }

    fn check(width: u32, height: u32, format: ImageFormat, want: (u32, u32)) {
        let fake = Fake::new();
        let small = fake.call(thumbnail, &halves(width, height, format));
        let small = small.expect("a picture");
        assert_eq!(image::guess_format(&small).ok(), Some(format));
        let small = image::load_from_memory(&small)
            .expect("a picture")
            .to_rgb8();
        assert_eq!(small.dimensions(), want);
        let (left, right) = (
            small.get_pixel(0, 0),
            small.get_pixel(want.0 - 1, want.1 - 1),
        );
        assert!(left[0] > 200 && left[2] < 50, "{left:?}");
        assert!(right[2] > 200 && right[0] < 50, "{right:?}");
        assert_eq!(fake.progress().last().map(|p| p.0), Some(3));
    }

    #[test]
    fn pictures_shrink_in_proportion_and_keep_their_format() {
        check(1024, 512, ImageFormat::Png, (256, 128));
        check(300, 900, ImageFormat::Jpeg, (85, 256));
        check(40, 30, ImageFormat::Png, (40, 30));
    }

    #[test]
    fn a_real_picture_shrinks() {
        let picture = include_bytes!("../pictures/seahorses.png");
        let small = Fake::new().call(thumbnail, picture).expect("a picture");
        let small = image::load_from_memory(&small).expect("a picture");
        assert_eq!((small.width(), small.height()), (256, 192));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let error = Fake::new().call(thumbnail, b"GIF89a").expect_err("a GIF");
        assert!(
            error.message().contains("neither a PNG nor a JPEG"),
            "{error}"
        );
        let half = &halves(64, 64, ImageFormat::Png)[..60];
        assert!(Fake::new().call(thumbnail, half).is_err());
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_decoded() {
        // The header of a PNG of 16,000 by 16,000 pixels, whose data never comes.
        let mut bomb = halves(16, 16, ImageFormat::Png);
        bomb.splice(16..24, [0, 0, 62, 128, 0, 0, 62, 128]);
        let crc = crc32(&bomb[12..29]);
        bomb.splice(29..33, crc.to_be_bytes());
        let error = Fake::new().call(thumbnail, &bomb).expect_err("a bomb");
        assert!(error.message().contains("imit"), "{error}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
            })
        })
    }
}
