#[wasmhost::task]
struct Task;

fn main() {}
