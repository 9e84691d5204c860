//! What script engines share: the platform's functions as a table, made from
//! `proto/wit`, that takes and gives the values of scripts; the script itself; how
//! its failure is told.
//!
//! Knows no language. An engine is a crate in `tasks/engines/` that shows the table
//! to its scripts as the object `host`, and implements [`Engine`].

#[doc(hidden)]
pub mod bindings;
mod convert;
mod failure;
mod glue;
mod host;
#[cfg(test)]
mod tests;
mod value;

pub use failure::Failure;
pub use glue::FUNCTIONS;
pub use host::{Args, Function, Level, Member, Param, log, members};
pub use value::Value;

/// A language.
pub trait Engine {
    /// A script that was read, and whatever of it comes before its input.
    type Ready;

    /// Reads a script.
    fn prepare(script: Script) -> Result<Self::Ready, Failure>;

    /// Runs it on an input, and gives the bytes of its result.
    fn run(ready: Self::Ready, input: Vec<u8>) -> Result<Vec<u8>, Failure>;
}

/// What is to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The name of its file.
    pub name: String,
    /// Its text.
    pub source: String,
}

/// Reads the script of the attempt.
fn prepare<E: Engine>() -> Result<E::Ready, Failure> {
    use bindings::wasmhost::task::script;
    let script = Script {
        name: script::name(),
        source: script::source(),
    };
    if script.source.is_empty() {
        let why = "this module runs scripts, and the task has none, or an empty one";
        return Err(Failure::new(why));
    }
    E::prepare(script)
}

/// Reads the script where there is no attempt yet.
#[doc(hidden)]
pub fn ahead<E: Engine>() -> Result<E::Ready, String> {
    host::AHEAD.set(true);
    let ready = prepare::<E>();
    host::AHEAD.set(false);
    ready.map_err(|failure| bindings::TaskError::from(failure).message)
}

/// Runs what was read ahead of time, or the script of the attempt.
#[doc(hidden)]
pub fn run<E: Engine>(
    ready: Option<E::Ready>,
    input: Vec<u8>,
) -> Result<Vec<u8>, bindings::TaskError> {
    let ready = match ready {
        Some(ready) => ready,
        None => prepare::<E>()?,
    };
    Ok(E::run(ready, input)?)
}

/// Makes the component's exports from an [`Engine`].
#[macro_export]
macro_rules! engine {
    ($engine:ty) => {
        #[allow(unsafe_code, reason = "generated: the canonical ABI's entry points")]
        const _: () = {
            type Ready = <$engine as $crate::Engine>::Ready;

            // Part of the memory that a module made of a script begins with.
            std::thread_local! {
                static READY: std::cell::RefCell<Option<Ready>> =
                    const { std::cell::RefCell::new(None) };
            }

            struct Component;

            impl $crate::bindings::Guest for Component {
                fn prepare() -> Result<(), String> {
                    let ready = $crate::ahead::<$engine>()?;
                    READY.set(Some(ready));
                    Ok(())
                }

                fn run(input: Vec<u8>) -> Result<Vec<u8>, $crate::bindings::TaskError> {
                    $crate::run::<$engine>(READY.take(), input)
                }
            }

    $crate::bindings::export_engine!(Component with_types_in $crate::bindings);
        };
    };
}
