use std::time::Instant;
use wasmhost::Schema;

#[derive(Schema)]
struct Order {
    at: Instant,
}

#[derive(Schema)]
union Either {
    small: u8,
    large: u64,
}

#[derive(Schema)]
struct Typo {
    #[schema(anything)]
    at: Instant,
}

fn main() {}
