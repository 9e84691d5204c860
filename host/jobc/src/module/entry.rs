//! How a module is started: which kind it is, and whether its entry point has
//! the right type.

use super::inspect::Facts;
use super::{Reasons, preview1};
use wasmhost_proto::module::ModuleKind;
use wasmparser::PrimitiveValType::{Bool, String as Text, U8};
use wasmparser::component_types::{ComponentDefinedType, ComponentEntityType, ComponentValType};
use wasmparser::types::{EntityType, Types};

const RUN: &str = "wasi:cli/run@0.2.";
const ENTRIES: &str = "a task exports `run` of wasmhost:task (the attribute #[wasmhost::task]), \
    a command has a `main` and is built for wasm32-wasip2 or wasm32-wasip1";

/// The kind of a module; none with reasons added.
pub(super) fn kind(facts: &Facts, reasons: &mut Reasons) -> Option<ModuleKind> {
    if facts.component {
        component(facts, reasons)
    } else {
        core(facts, reasons)
    }
}

fn component(facts: &Facts, reasons: &mut Reasons) -> Option<ModuleKind> {
    if facts.exports.iter().any(|name| name == "run") {
        if !is_task(&facts.types) {
            let help = "it must be run: func(input: list<u8>) -> result<list<u8>, task-error>; \
                build it with the SDK of this version";
            reasons.add(
                "wrong-signature",
                "the exported function 'run' has another type than a task's",
                help,
            );
        }
        return Some(ModuleKind::Task);
    }
    if let Some(name) = facts.exports.iter().find(|name| name.starts_with(RUN)) {
        if !is_command(&facts.types, name) {
            let message = format!("the export '{name}' has another type than a command's");
            reasons.add(
                "wrong-signature",
                message,
                "it must have a function run: func() -> result",
            );
        }
        return Some(ModuleKind::Command);
    }
    let has = |prefix: &str| facts.exports.iter().any(|name| name.starts_with(prefix));
    let help = if has("wasi:cli/run@") {
        "it is a command of another version of WASI: build it for wasm32-wasip2"
    } else if has("wasi:http/") {
        "it is an HTTP handler, which answers requests and does not run to an end"
    } else {
        ENTRIES
    };
    reasons.add(
        "missing-export",
        "the component exports neither a task's 'run' nor a command's 'wasi:cli/run'",
        help,
    );
    None
}

fn core(facts: &Facts, reasons: &mut Reasons) -> Option<ModuleKind> {
    let types = facts.types.as_ref();
    let export = |name: &str| {
        types
            .core_exports()?
            .find(|(n, _)| *n == name)
            .map(|(_, ty)| ty)
    };
    match export("_start") {
        None => {
            reasons.add(
                "missing-export",
                "the module exports no function '_start'",
                ENTRIES,
            );
            return None;
        }
        Some(EntityType::Func(id))
            if types[id].unwrap_func().params().is_empty()
                && types[id].unwrap_func().results().is_empty() => {}
        Some(_) => reasons.add(
            "wrong-signature",
            "the export '_start' is not a function without parameters and results",
            "",
        ),
    }
    let uses_wasi = facts
        .imports
        .iter()
        .filter_map(|i| i.core.as_ref())
        .any(|c| preview1::MODULES.contains(&c.0.as_str()));
    if uses_wasi && !matches!(export("memory"), Some(EntityType::Memory(_))) {
        reasons.add(
            "missing-export",
            "the module exports no memory named 'memory', which WASI needs",
            "",
        );
    }
    Some(ModuleKind::CoreCommand)
}

/// `run: func(input: list<u8>) -> result<list<u8>, record { message: string, retryable: bool }>`
fn is_task(types: &Types) -> bool {
    let Some(ComponentEntityType::Func(id)) =
        types.component_item_for_export("run").map(|item| item.ty)
    else {
        return false;
    };
    let function = &types[id];
    let [(_, input)] = &*function.params else {
        return false;
    };
    let Some(ComponentDefinedType::Result {
        ok: Some(ok),
        err: Some(error),
        ..
    }) = defined(types, function.result)
    else {
        return false;
    };
    let Some(ComponentDefinedType::Record(error)) = defined(types, Some(*error)) else {
        return false;
    };
    let fields: Vec<_> = error
        .fields
        .iter()
        .map(|(name, ty)| (name.as_str(), primitive(types, *ty)))
        .collect();
    !function.async_
        && is_bytes(types, *input)
        && is_bytes(types, *ok)
        && fields == [("message", Some(Text)), ("retryable", Some(Bool))]
}

/// An instance with `run: func() -> result`.
fn is_command(types: &Types, export: &str) -> bool {
    let Some(ComponentEntityType::Instance(id)) =
        types.component_item_for_export(export).map(|item| item.ty)
    else {
        return false;
    };
    let Some(ComponentEntityType::Func(id)) = types[id].exports.get("run").map(|item| item.ty)
    else {
        return false;
    };
    let function = &types[id];
    function.params.is_empty()
        && matches!(
            defined(types, function.result),
            Some(ComponentDefinedType::Result {
                ok: None,
                err: None,
                ..
            })
        )
}

fn defined(types: &Types, ty: Option<ComponentValType>) -> Option<&ComponentDefinedType> {
    match ty? {
        ComponentValType::Type(id) => Some(&types[id]),
        ComponentValType::Primitive(_) => None,
    }
}

fn primitive(types: &Types, ty: ComponentValType) -> Option<wasmparser::PrimitiveValType> {
    match ty {
        ComponentValType::Primitive(primitive) => Some(primitive),
        ComponentValType::Type(id) => match &types[id] {
            ComponentDefinedType::Primitive(primitive) => Some(*primitive),
            _ => None,
        },
    }
}

fn is_bytes(types: &Types, ty: ComponentValType) -> bool {
    let list = defined(types, Some(ty));
    matches!(list, Some(ComponentDefinedType::List { element, .. }) if primitive(types, *element) == Some(U8))
}
