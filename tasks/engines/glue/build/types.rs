//! Rust for the types of an interface: from and into the values of scripts.

use std::fmt::Write;
use wit_parser::{InterfaceId, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

/// Writes the conversions of every type that the interface names.
pub(crate) fn emit(resolve: &Resolve, interface: InterfaceId, code: &mut String) {
    for (name, id) in &resolve.interfaces[interface].types {
        let path = path(resolve, *id);
        let lines = match &resolve.types[*id].kind {
            TypeDefKind::Enum(cases) => {
                let names: Vec<&str> = cases.cases.iter().map(|c| c.name.as_str()).collect();
                enumeration(&path, &names)
            }
            TypeDefKind::Record(record) => {
                let names: Vec<&str> = record.fields.iter().map(|f| f.name.as_str()).collect();
                self::record(&path, &names)
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter();
                let cases: Vec<_> = cases.map(|c| (c.name.as_str(), c.ty.is_some())).collect();
                self::variant(&path, &cases)
            }
            _ => continue,
        };
        if supported(resolve, &Type::Id(*id)) {
            code.push_str(&lines);
        } else {
            println!("cargo::warning=scripts do not get the type {name}");
        }
    }
}

/// Where the bindings have a type.
fn path(resolve: &Resolve, id: TypeId) -> String {
    let def = &resolve.types[id];
    let owner = match def.owner {
        TypeOwner::Interface(interface) => resolve.interfaces[interface].name.as_deref(),
        TypeOwner::World(_) | TypeOwner::None => None,
    };
    let module = owner.map_or_else(String::new, |name| {
        format!("wasmhost::task::{}::", snake(name))
    });
    format!(
        "crate::bindings::{module}{}",
        pascal(def.name.as_deref().unwrap_or_default())
    )
}

/// Whether scripts can be given, or give, a value of a type.
pub(crate) fn supported(resolve: &Resolve, ty: &Type) -> bool {
    let all = |types: Vec<&Type>| types.into_iter().all(|ty| supported(resolve, ty));
    let Type::Id(id) = ty else {
        return !matches!(ty, Type::ErrorContext | Type::F32 | Type::Char);
    };
    match &resolve.types[*id].kind {
        TypeDefKind::Enum(_) => true,
        TypeDefKind::Record(record) => all(record.fields.iter().map(|f| &f.ty).collect()),
        TypeDefKind::Variant(variant) => {
            all(variant.cases.iter().filter_map(|c| c.ty.as_ref()).collect())
        }
        TypeDefKind::Tuple(tuple) => tuple.types.len() == 2 && all(tuple.types.iter().collect()),
        TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::Type(ty) => {
            supported(resolve, ty)
        }
        _ => false,
    }
}

/// A type as Rust writes it.
pub(crate) fn rust(resolve: &Resolve, ty: &Type) -> String {
    let id = match ty {
        Type::Id(id) => *id,
        Type::Bool => return "bool".into(),
        Type::U8 => return "u8".into(),
        Type::U16 => return "u16".into(),
        Type::U32 => return "u32".into(),
        Type::U64 => return "u64".into(),
        Type::S8 => return "i8".into(),
        Type::S16 => return "i16".into(),
        Type::S32 => return "i32".into(),
        Type::S64 => return "i64".into(),
        Type::F64 => return "f64".into(),
        // The others are not supported.
        _ => return "String".into(),
    };
    match &resolve.types[id].kind {
        TypeDefKind::Option(ty) => format!("Option<{}>", rust(resolve, ty)),
        TypeDefKind::List(ty) => format!("Vec<{}>", rust(resolve, ty)),
        TypeDefKind::Type(ty) => rust(resolve, ty),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(|ty| rust(resolve, ty)).collect();
            format!("({})", types.join(", "))
        }
        _ => path(resolve, id),
    }
}

fn enumeration(path: &str, names: &[&str]) -> String {
    let (mut from, mut into) = (String::new(), String::new());
    for name in names {
        let _ = write!(from, "{name:?} => Ok({path}::{0}),", pascal(name));
        let _ = write!(
            into,
            "{path}::{0} => Value::Text({name:?}.into()),",
            pascal(name)
        );
    }
    let one_of = names.join(", ");
    format!(
        "impl FromValue for {path} {{
            fn fits(value: &Value) -> bool {{ matches!(value, Value::Text(_)) }}
            fn from_value(value: Value) -> Result<Self, String> {{
                let text = String::from_value(value)?;
                match text.as_str() {{ {from} _ => Err(format!(\"one of {one_of} is wanted, not '{{text}}'\")) }}
            }}
        }}
        impl IntoValue for {path} {{
            fn into_value(self) -> Value {{ match self {{ {into} }} }}
        }}\n"
    )
}

fn record(path: &str, names: &[&str]) -> String {
    let (mut from, mut into) = (String::new(), String::new());
    for name in names {
        let _ = write!(from, "{}: member(&mut value, {name:?})?,", snake(name));
        let _ = write!(
            into,
            "({name:?}.into(), self.{}.into_value()),",
            snake(name)
        );
    }
    format!(
        "impl FromValue for {path} {{
            fn fits(value: &Value) -> bool {{ matches!(value, Value::Map(_)) }}
            fn from_value(mut value: Value) -> Result<Self, String> {{ Ok({path} {{ {from} }}) }}
        }}
        impl IntoValue for {path} {{
            fn into_value(self) -> Value {{ Value::Map(vec![{into}]) }}
        }}\n"
    )
}

/// A script names no case: the first that fits the value is meant, nothing means the first
/// that carries nothing, and one that is named `json` takes what no other does, as JSON text.
fn variant(path: &str, cases: &[(&str, bool)]) -> String {
    let (mut from, mut into, mut rest) = (String::new(), String::new(), String::new());
    let mut named = String::new();
    if let Some((name, _)) = cases.iter().find(|(_, has_payload)| !has_payload) {
        let case = pascal(name);
        let _ = write!(
            from,
            "if matches!(value, Value::Null) {{ return Ok({path}::{case}); }}"
        );
    }
    for (name, has_payload) in cases {
        let case = pascal(name);
        match (has_payload, *name) {
            (true, "json") => {
                let _ = write!(rest, "return value.json().map({path}::{case});");
            }
            (true, _) => {
                let _ = write!(
                    from,
                    "if Fit(&value).of({path}::{case}) {{ return FromValue::from_value(value).map({path}::{case}); }}"
                );
            }
            (false, _) => {
                let _ = write!(
                    from,
                    "if matches!(&value, Value::Text(text) if text == {name:?}) {{ return Ok({path}::{case}); }}"
                );
            }
        }
        let _ = match has_payload {
            true if *name == "json" => {
                write!(into, "{path}::{case}(text) => Value::of_json(text),")
            }
            true => write!(into, "{path}::{case}(value) => value.into_value(),"),
            false => write!(into, "{path}::{case} => Value::Text({name:?}.into()),"),
        };
        let _ = write!(named, "{path}::{case} {{ .. }} => {name:?},");
    }
    if rest.is_empty() {
        let names: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
        let one_of = names.join(", ");
        rest = format!("Err(format!(\"one of {one_of} is wanted, not {{}}\", value.kind()))");
    }
    format!(
        "impl FromValue for {path} {{
            fn fits(_: &Value) -> bool {{ true }}
            fn from_value(value: Value) -> Result<Self, String> {{ {from} {rest} }}
        }}
        impl IntoValue for {path} {{
            fn into_value(self) -> Value {{ match self {{ {into} }} }}
            fn case(&self) -> Option<&'static str> {{ Some(match self {{ {named} }}) }}
        }}\n"
    )
}

/// `idempotency-key` as Rust writes functions: `idempotency_key`.
pub(crate) fn snake(name: &str) -> String {
    name.replace('-', "_")
}

/// `task-error` as Rust writes types: `TaskError`.
fn pascal(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect()
}
