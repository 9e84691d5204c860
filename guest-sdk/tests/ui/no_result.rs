use wasmhost::Context;

#[wasmhost::task]
fn double(_: &Context, input: u32) -> u32 {
    2 * input
}

fn main() {}
