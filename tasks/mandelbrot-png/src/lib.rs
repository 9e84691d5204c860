//! `mandelbrot-png`: puts the tiles of `mandelbrot` together into one PNG. Holds
//! one tile at a time beside the compressed picture.

#[path = "../../mandelbrot/src/tile.rs"]
pub mod tile;

use std::io::Write;
use tile::Tile;
use wasmhost::{Bytes, Context, Results, TaskError};

/// Puts the tiles of a picture together into a PNG.
#[wasmhost::task]
pub fn assemble(ctx: &Context, tiles: Results<Bytes>) -> Result<Bytes, TaskError> {
    let mut tiles = tiles.iter().map(|tile| {
        let (index, bytes) = tile?;
        Tile::decode(&bytes).ok_or_else(|| {
            TaskError::permanent(format_args!("the result of index {index} is no tile"))
        })
    });
    let first = match tiles.next() {
        Some(tile) => tile?,
        None => return Err(TaskError::permanent("a picture needs at least one tile")),
    };
    let (width, height) = (first.width, first.height);
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    let mut picture = writer.stream_writer()?;
    let mut row = 0;
    for tile in std::iter::once(Ok(first)).chain(tiles) {
        let tile = tile?;
        ctx.check_cancelled()?;
        if (tile.width, tile.height) != (width, height) || tile.first != row {
            return Err(TaskError::permanent(format_args!(
                "a tile of {} by {} pixels starts at row {} where one of {width} by {height} \
                 should go on at row {row}",
                tile.width, tile.height, tile.first
            )));
        }
        picture.write_all(&tile.rgb)?;
        row += (tile.rgb.len() / (3 * width as usize)) as u32;
        ctx.progress(u64::from(row), u64::from(height));
    }
    if row != height {
        return Err(TaskError::permanent(format_args!(
            "the tiles end at row {row} of {height}"
        )));
    }
    picture.finish()?;
    writer.finish()?;
    ctx.set("bytes", png.len());
    Ok(png.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost::testing::Fake;

    /// Tiles of a picture of 5 by `height` pixels that begin at these rows.
    fn tiles(height: u32, firsts: &[u32]) -> Results<Bytes> {
        let ends = firsts.iter().skip(1).copied().chain([height]);
        let tiles = firsts
            .iter()
            .zip(ends)
            .enumerate()
            .map(|(index, (&first, end))| {
                let pixels = (end - first) as usize * 5 * 3;
                let rgb = vec![index as u8 * 40; pixels];
                let tile = Tile {
                    width: 5,
                    height,
                    first,
                    rgb,
                };
                (index as u32, Bytes(tile.encode()))
            });
        Results::gather(tiles).expect("bytes are bytes")
    }

    fn check(tiles: Results<Bytes>, want: Result<&[u8], &str>) {
        let got = assemble(&Fake::new().context(), tiles);
        match (got, want) {
            (Ok(png), Ok(want)) => {
                let mut reader = png::Decoder::new(std::io::Cursor::new(&*png))
                    .read_info()
                    .expect("a PNG");
                let mut pixels = vec![0; reader.output_buffer_size().expect("it is small")];
                reader.next_frame(&mut pixels).expect("a picture");
                let firsts: Vec<u8> = pixels.chunks(15).map(|row| row[0]).collect();
                assert_eq!(firsts, want);
            }
            (Err(error), Err(want)) => assert!(error.message().contains(want), "{error}"),
            (got, want) => panic!("{got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn tiles_make_a_png() {
        check(tiles(3, &[0]), Ok(&[0, 0, 0]));
        check(tiles(4, &[0, 1, 1, 3]), Ok(&[0, 80, 80, 120]));
    }

    #[test]
    fn what_is_missing_is_named() {
        check(tiles(4, &[]), Err("at least one tile"));
        check(tiles(4, &[1, 3]), Err("should go on at row 0"));
        let alien = Results::gather([(3, Bytes(vec![1, 2]))]).expect("bytes are bytes");
        check(alien, Err("the result of index 3 is no tile"));
    }
}
