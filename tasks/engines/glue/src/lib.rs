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
    /// Runs a script on an input, and gives the bytes of its result.
    fn run(script: &Script, input: Vec<u8>) -> Result<Vec<u8>, Failure>;
}

/// What is to be run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Script {
    /// The name of its file.
    pub name: String,
    /// Its text.
    pub source: String,
}

#[doc(hidden)]
pub fn run<E: Engine>(input: Vec<u8>) -> Result<Vec<u8>, bindings::TaskError> {
    use bindings::wasmhost::task::script;
    let script = Script {
        name: script::name(),
        source: script::source(),
    };
    if script.source.is_empty() {
        let why = "this module runs scripts, and the task has none, or an empty one";
        return Err(Failure::new(why).into());
    }
    E::run(&script, input).map_err(bindings::TaskError::from)
}

/// Makes the component's `run` from an [`Engine`].
#[macro_export]
macro_rules! engine {
    ($engine:ty) => {
        #[allow(unsafe_code, reason = "generated: the canonical ABI's entry points")]
        const _: () = {
            struct Component;

            impl $crate::bindings::Guest for Component {
                fn run(input: Vec<u8>) -> Result<Vec<u8>, $crate::bindings::TaskError> {
                    $crate::run::<$engine>(input)
                }
            }

    $crate::bindings::export_engine!(Component with_types_in $crate::bindings);
        };
    };
}
