//! A tile as it travels from `mandelbrot` to `mandelbrot-png`, which both
//! compile this file: three little-endian numbers, then rows of RGB.

/// Bytes before the pixels.
const HEAD: usize = 12;

/// Some whole rows of a picture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tile {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom, of the whole picture.
    pub height: u32,
    /// The first row of this tile.
    pub first: u32,
    /// Three bytes a pixel, row by row.
    pub rgb: Vec<u8>,
}

impl Tile {
    /// To bytes.
    pub fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.rgb.len());
        for number in [self.width, self.height, self.first] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.rgb);
        bytes
    }

    /// From bytes; none when they are no tile.
    pub fn decode(bytes: &[u8]) -> Option<Tile> {
        let (head, rgb) = bytes.split_at_checked(HEAD)?;
        let number = |at: usize| Some(u32::from_le_bytes(head[at..at + 4].try_into().ok()?));
        let (width, height, first) = (number(0)?, number(4)?, number(8)?);
        let row = 3 * width as usize;
        (row > 0 && rgb.len().is_multiple_of(row)).then(|| Tile {
            width,
            height,
            first,
            rgb: rgb.to_vec(),
        })
    }
}
