use wasmhost::{Context, TaskError};

#[wasmhost::task]
fn one(_: &Context, _: ()) -> Result<(), TaskError> {
    Ok(())
}

#[wasmhost::task]
fn two(_: &Context, _: ()) -> Result<(), TaskError> {
    Ok(())
}

fn main() {}
