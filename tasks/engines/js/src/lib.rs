//! The engine of scripts in JavaScript: ECMAScript modules with a default export.
//!
//! Owns what such a script finds: `host`, `console`, text encoders, its input. No
//! `require`, no imports, no timers, no network: a script stands alone.
#![cfg(target_family = "wasm")]

mod console;
mod failure;
mod host;
mod input;
mod result;
mod value;

use boa_engine::builtins::promise::PromiseState;
use boa_engine::module::IdleModuleLoader;
use boa_engine::{Context, JsError, JsObject, JsResult, JsValue, Module, Source, js_string};
use failure::Stop;
use std::path::Path;
use std::rc::Rc;
use wasmhost_engine::{Engine, Failure, Script};

/// Calls within calls. A stack this deep fits the sandbox's, and what a script is
/// told of it beats a trap.
const RECURSION: usize = 2_000;
/// Values on the interpreter's stack: some for each of those calls.
const STACK: usize = 64 * RECURSION;

struct JavaScript;

wasmhost_engine::engine!(JavaScript);

/// A module whose top level has run.
struct Ready {
    name: String,
    context: Context,
    /// Its default function.
    main: JsObject,
}

impl Engine for JavaScript {
    type Ready = Ready;

    fn prepare(script: Script) -> Result<Ready, Failure> {
        let mut context = context().map_err(|error| Failure::new(error.to_string()))?;
        let main = load(&script, &mut context);
        let main = main.map_err(|stop| stop.tell(&script.name, &mut context));
        match main {
            Ok(main) => Ok(Ready {
                name: script.name,
                context,
                main,
            }),
            Err(failure) => {
                leave(context);
                Err(failure)
            }
        }
    }

    fn run(ready: Ready, input: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let Ready {
            name,
            mut context,
            main,
        } = ready;
        let result = call(&main, input, &mut context);
        let result = result.map_err(|stop| stop.tell(&name, &mut context));
        leave(context);
        result
    }
}

/// The sandbox goes as a whole: taking the heap apart would be for nothing.
fn leave(context: Context) {
    std::mem::forget(context);
}

fn context() -> JsResult<Context> {
    let mut context = Context::builder()
        .module_loader(Rc::new(IdleModuleLoader))
        .build()?;
    let limits = context.runtime_limits_mut();
    limits.set_recursion_limit(RECURSION);
    limits.set_stack_size_limit(STACK);
    console::register(&mut context)?;
    boa_runtime::text::register(None, &mut context)?;
    host::register(&mut context)?;
    Ok(context)
}

/// Runs a module's top level; its default function.
fn load(script: &Script, context: &mut Context) -> Result<JsObject, Stop> {
    let path = Path::new(&script.name);
    let source = Source::from_bytes(&script.source).with_path(path);
    let module = Module::parse(source, None, context)?;
    let loaded = module.load_link_evaluate(context);
    context.run_jobs()?;
    settled(
        loaded.state(),
        "what the script awaits at its top level never comes",
    )?;
    let main = module.get_value(js_string!("default"), context)?;
    main.as_callable().ok_or(Stop::Script(
        "the script has no default function: write `export default function (input) { … }`",
    ))
}

fn call(main: &JsObject, input: Vec<u8>, context: &mut Context) -> Result<Vec<u8>, Stop> {
    let input = input::value(&input, context)?;
    let mut value = main.call(&JsValue::undefined(), &[input], context)?;
    if let Some(promise) = value.as_promise() {
        context.run_jobs()?;
        value = settled(
            promise.state(),
            "the promise that the script returned is never settled",
        )?;
    }
    result::bytes(&value, context)
}

fn settled(state: PromiseState, pending: &'static str) -> Result<JsValue, Stop> {
    match state {
        PromiseState::Fulfilled(value) => Ok(value),
        PromiseState::Rejected(reason) => Err(JsError::from_opaque(reason).into()),
        PromiseState::Pending => Err(Stop::Script(pending)),
    }
}
