//! How a client puts files together into batches, the same for every client.

use std::ops::Range;

/// Puts consecutive files, given by their lengths, into batches of up to `size`
/// bytes, counting one byte (a newline) between two. A larger file is a batch
/// of its own.
pub fn batches(lens: &[u64], size: u64) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let mut filled = 0u64;
    for (index, len) in lens.iter().enumerate() {
        let with = filled.checked_add(1).and_then(|n| n.checked_add(*len));
        match (out.last_mut(), with) {
            (Some(batch), Some(with)) if with <= size => {
                batch.end = index + 1;
                filled = with;
            }
            _ => {
                out.push(index..index + 1);
                filled = *len;
            }
        }
    }
    out
}

/// The label of a batch: the path of its first file, and how many follow. Unlike
/// the label of any other batch of the same list. Empty for no file.
pub fn batch_label(paths: &[impl AsRef<str>]) -> String {
    match paths {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first, rest @ ..] => format!("{} (+{})", first.as_ref(), rest.len()),
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        let check = |lens: &[u64], size: u64, want: &[Range<usize>]| {
            assert_eq!(batches(lens, size), want, "{lens:?} into {size}");
        };
        check(&[], 10, &[]);
        check(&[4, 5], 10, &[0..2]);
        check(&[5, 5], 10, &[0..1, 1..2]);
        check(&[0, 0, 0], 2, &[0..3]);
        check(&[99, 1, 1], 10, &[0..1, 1..3]);
        check(&[1, 99, 1], 10, &[0..1, 1..2, 2..3]);
        check(&[u64::MAX, u64::MAX], u64::MAX, &[0..1, 1..2]);
    }

    #[test]
    fn labels() {
        assert_eq!(batch_label(&["a"]), "a");
        assert_eq!(batch_label(&["a", "b", "c"]), "a (+2)");
    }
}
