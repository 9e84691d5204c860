use wasmhost::{Context, TaskError};

#[wasmhost::task]
async unsafe fn everything<T>(_: T) {}

mod arguments {
    use super::*;

    #[wasmhost::task]
    fn borrowed(_: Context, _: &str) -> Result<(), TaskError> {
        Ok(())
    }
}

mod attribute {
    use super::*;

    #[wasmhost::task(name = "x")]
    fn named(_: &Context, _: ()) -> Result<(), TaskError> {
        Ok(())
    }
}

fn main() {}
