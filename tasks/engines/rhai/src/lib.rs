//! The engine of scripts in Rhai: `fn main(input)`, or the value of the last statement.
//!
//! Owns what such a script finds: `host`, its input, `print`. No modules, no files,
//! no network: a script stands alone.
#![cfg(target_family = "wasm")]

mod failure;
mod host;
mod value;

use rhai::{AST, Dynamic, Engine, EvalAltResult, Scope};
use wasmhost_engine::{Failure, Level, Script, log};

/// Calls within calls: as many as fit the sandbox's stack. What a script is told of
/// it beats a trap.
const CALLS: usize = 100;
/// Nesting of expressions, outside of functions and in them: what a definition's
/// check of syntax takes.
const NESTING: (usize, usize) = (64, 64);

struct Rhai;

wasmhost_engine::engine!(Rhai);

/// A script that was read. All of it runs with its input: its last statement may be what it gives.
struct Ready {
    name: String,
    engine: Engine,
    ast: AST,
}

impl wasmhost_engine::Engine for Rhai {
    type Ready = Ready;

    fn prepare(script: Script) -> Result<Ready, Failure> {
        let engine = engine();
        let ast = engine
            .compile(&script.source)
            .map_err(|error| failure::syntax(&script.name, &error))?;
        Ok(Ready {
            name: script.name,
            engine,
            ast,
        })
    }

    fn run(ready: Ready, input: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let Ready { name, engine, ast } = ready;
        let result = evaluate(&engine, &ast, value::input(input));
        let result = result.map_err(|error| failure::tell(&name, *error));
        let bytes = result.and_then(value::output);
        // The sandbox goes as a whole: taking the heap apart would be for nothing.
        std::mem::forget((engine, ast));
        bytes
    }
}

fn engine() -> Engine {
    let mut engine = Engine::new();
    engine
        .set_max_call_levels(CALLS)
        .set_max_expr_depths(NESTING.0, NESTING.1)
        .on_print(|text| log(Level::Info, text))
        .on_debug(|text, _, at| log(Level::Debug, &format!("{at:?} {text}")));
    host::register(&mut engine);
    engine
}

fn evaluate(engine: &Engine, ast: &AST, input: Dynamic) -> Result<Dynamic, Box<EvalAltResult>> {
    let mut scope = Scope::new();
    let main = ast
        .iter_functions()
        .find(|function| function.name == "main");
    match main.map(|main| main.params.len()) {
        Some(0) => engine.call_fn(&mut scope, ast, "main", ()),
        Some(_) => engine.call_fn(&mut scope, ast, "main", (input,)),
        None => {
            scope.push_dynamic("input", input);
            engine.eval_ast_with_scope(&mut scope, ast)
        }
    }
}
