//! A row of the table for each function of an interface.

use crate::types::{rust, snake, supported};
use std::fmt::Write;
use wit_parser::{Function, FunctionKind, InterfaceId, Resolve, Type, TypeDefKind};

/// Writes the rows of the interface.
pub(crate) fn emit(resolve: &Resolve, id: InterfaceId, interface: &str, table: &mut String) {
    for (name, function) in &resolve.interfaces[id].functions {
        let mut types: Vec<&Type> = function.params.iter().map(|param| &param.ty).collect();
        match function.result.as_ref().map(|ty| (ty, kind(resolve, ty))) {
            Some((_, Some(TypeDefKind::Result(result)))) => {
                types.extend([&result.ok, &result.err].into_iter().flatten());
            }
            Some((ty, _)) => types.push(ty),
            None => {}
        }
        let known = types.into_iter().all(|ty| supported(resolve, ty));
        if known && matches!(function.kind, FunctionKind::Freestanding) {
            table.push_str(&row(resolve, interface, name, function));
        } else {
            println!("cargo::warning=scripts do not get {interface}.{name}");
        }
    }
}

fn row(resolve: &Resolve, interface: &str, name: &str, function: &Function) -> String {
    let (mut params, mut reads, mut passes) = (String::new(), String::new(), String::new());
    for (at, param) in function.params.iter().enumerate() {
        let (optional, choices) = match kind(resolve, &param.ty) {
            Some(TypeDefKind::Option(_)) => (true, vec![]),
            // Nothing means the first case that carries nothing.
            Some(TypeDefKind::Variant(v)) => (v.cases.iter().any(|c| c.ty.is_none()), vec![]),
            Some(TypeDefKind::Enum(cases)) => {
                (false, cases.cases.iter().map(|c| &*c.name).collect())
            }
            _ => (false, vec![]),
        };
        let name = &param.name;
        let _ = write!(
            params,
            "Param {{ name: {name:?}, optional: {optional}, choices: &{choices:?} }},"
        );
        let ty = rust(resolve, &param.ty);
        let _ = write!(reads, "let p{at}: {ty} = args.next({name:?})?;");
        passes.push_str(&pass(resolve, &param.ty, at));
    }
    let value = match function.result.as_ref().and_then(|ty| kind(resolve, ty)) {
        Some(TypeDefKind::Result(_)) => "result(value)",
        _ => "Ok(value.into_value())",
    };
    format!(
        "Function {{
            interface: {interface:?}, name: {name:?}, params: &[{params}], gives: {gives},
            call: |mut args| {{
                {reads} args.end()?;
                let value = crate::bindings::wasmhost::task::{module}::{function}({passes});
                {value}
            }},
        }},",
        gives = function.result.is_some(),
        module = snake(interface),
        function = snake(name),
    )
}

/// A parameter as the bindings take it: by reference what has texts or lists in it.
fn pass(resolve: &Resolve, ty: &Type, at: usize) -> String {
    match kind(resolve, ty) {
        Some(TypeDefKind::Option(inner)) if is_slice(resolve, inner) => {
            format!("Option::as_deref(&p{at}),")
        }
        Some(TypeDefKind::Option(inner)) if is_heavy(resolve, inner) => {
            format!("Option::as_ref(&p{at}),")
        }
        _ if is_heavy(resolve, ty) => format!("&p{at},"),
        _ => format!("p{at},"),
    }
}

/// What a type is behind its other names; none of a primitive.
fn kind<'a>(resolve: &'a Resolve, ty: &Type) -> Option<&'a TypeDefKind> {
    let Type::Id(id) = ty else { return None };
    match &resolve.types[*id].kind {
        TypeDefKind::Type(ty) => kind(resolve, ty),
        kind => Some(kind),
    }
}

fn is_slice(resolve: &Resolve, ty: &Type) -> bool {
    matches!(ty, Type::String) || matches!(kind(resolve, ty), Some(TypeDefKind::List(_)))
}

fn is_heavy(resolve: &Resolve, ty: &Type) -> bool {
    let heavy = |ty: &Type| is_heavy(resolve, ty);
    match kind(resolve, ty) {
        None => matches!(ty, Type::String),
        Some(TypeDefKind::List(_)) => true,
        Some(TypeDefKind::Option(ty)) => heavy(ty),
        Some(TypeDefKind::Tuple(tuple)) => tuple.types.iter().any(heavy),
        Some(TypeDefKind::Record(record)) => record.fields.iter().any(|f| heavy(&f.ty)),
        Some(TypeDefKind::Variant(v)) => v.cases.iter().filter_map(|c| c.ty.as_ref()).any(heavy),
        Some(_) => false,
    }
}
