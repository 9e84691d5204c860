//! What the code that `#[task]` writes stands on. No part of it is a promise.

use crate::context::Context;
use crate::error::TaskError;
use crate::io::{Input, Output};
use crate::schema::{Piece, Shape};

#[cfg(target_family = "wasm")]
use crate::bindings;

/// The return type of a task's function.
#[diagnostic::on_unimplemented(
    message = "a task returns `Result<Out, wasmhost::TaskError>`, not `{Self}`",
    label = "not a task's result"
)]
pub trait Returned {
    /// What the task gives.
    type Out: Output;

    /// As a result.
    fn result(self) -> Result<Self::Out, TaskError>;
}

impl<Out: Output> Returned for Result<Out, TaskError> {
    type Out = Out;

    fn result(self) -> Result<Out, TaskError> {
        self
    }
}

/// Decodes, runs, encodes.
pub fn call<In: Input, Ret: Returned>(
    task: fn(&Context, In) -> Ret,
    ctx: &Context,
    input: Vec<u8>,
) -> Result<Vec<u8>, TaskError> {
    task(ctx, In::decode(input)?).result()?.encode()
}

/// The component's `run`.
#[cfg(target_family = "wasm")]
pub fn run<In: Input, Ret: Returned>(
    task: fn(&Context, In) -> Ret,
    input: Vec<u8>,
) -> Result<Vec<u8>, bindings::TaskError> {
    let ctx = Context::new(crate::guest::Platform);
    call(task, &ctx, input).map_err(|error| bindings::TaskError {
        message: error.message().to_owned(),
        retryable: error.is_retryable(),
    })
}

/// The manifest of a task, whose first members are written by the macro.
pub const fn manifest<In: Input, Ret: Returned>(head: &'static str) -> [Piece; 9] {
    let (input_key, input) = member(",\"input\":", In::SHAPE);
    let (output_key, output) = member(",\"output\":", <Ret::Out as Output>::SHAPE);
    [
        Piece::Text(head),
        Piece::Text(",\"sdk\":\""),
        Piece::Text(concat!("wasmhost-guest ", env!("CARGO_PKG_VERSION"))),
        Piece::Text("\""),
        input_key,
        input,
        output_key,
        output,
        Piece::Text("}"),
    ]
}

const fn member(key: &'static str, shape: Option<Shape>) -> (Piece, Piece) {
    match shape {
        Some(shape) => (Piece::Text(key), Piece::Sub("", shape)),
        None => (Piece::Text(""), Piece::Text("")),
    }
}

/// Rendered pieces as text.
pub const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("pieces of text make text"),
    }
}

/// Text as the content of a custom section; `N` is its length.
pub const fn section<const N: usize>(text: &str) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(text.as_bytes());
    out
}
