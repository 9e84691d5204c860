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
use boa_engine::{Context, JsError, JsResult, JsValue, Module, Source, js_string};
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

impl Engine for JavaScript {
    fn run(script: &Script, input: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let mut context = context().map_err(|error| Failure::new(error.to_string()))?;
        let result = evaluate(script, input, &mut context);
        let result = result.map_err(|stop| stop.tell(&script.name, &mut context));
        // The sandbox goes as a whole: taking the heap apart would be for nothing.
        std::mem::forget(context);
        result
    }
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

fn evaluate(script: &Script, input: Vec<u8>, context: &mut Context) -> Result<Vec<u8>, Stop> {
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
    let Some(main) = main.as_callable() else {
        let what =
            "the script has no default function: write `export default function (input) { … }`";
        return Err(Stop::Script(what));
    };
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
