use wasmhost::{Context, TaskError};

#[derive(serde::Deserialize)]
struct Order {
    number: u32,
}

#[wasmhost::task]
fn double(_: &Context, order: Order) -> Result<u32, TaskError> {
    Ok(2 * order.number)
}

fn main() {}
