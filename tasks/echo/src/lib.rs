//! `echo`: gives back the bytes that it was given. The smallest task there is:
//! a start for one's own, and a measure of what the platform itself costs.

use wasmhost::{Bytes, Context, TaskError};

/// Gives back its input, byte for byte.
#[wasmhost::task]
pub fn echo(_: &Context, input: Bytes) -> Result<Bytes, TaskError> {
    Ok(input)
}

#[cfg(test)]
mod tests {
    use super::echo;
    use wasmhost::testing::Fake;

    #[test]
    fn gives_back_what_it_was_given() {
        for input in [&b""[..], b"hello", &[0, 255, 10]] {
            assert_eq!(Fake::new().call(echo, input).as_deref(), Ok(input));
        }
    }
}
