//! The object `host`, made from the platform's table.

use crate::value;
use rhai::{Dynamic, Engine, EvalAltResult, Module};
use std::any::TypeId;
use std::collections::BTreeSet;
use wasmhost_engine::{Member, members};

/// The name of an interface; empty for `host` itself.
#[derive(Clone)]
struct Object(&'static str);

pub(crate) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Object>("host");
    let mut properties = BTreeSet::new();
    let mut methods = BTreeSet::new();
    for member in members() {
        properties.extend([member.interface, member.name]);
        let (least, most) = member.arity();
        methods.extend((least..=most).map(|arity| (member.name, arity)));
    }
    for name in properties {
        engine.register_get(snake(name), move |object: &mut Object| get(object, name));
    }
    for (name, arity) in methods {
        let mut types = vec![TypeId::of::<Object>()];
        types.resize(arity + 1, TypeId::of::<Dynamic>());
        engine.register_raw_fn(snake(name), types, move |_, args| {
            let (object, args) = args.split_first_mut().ok_or("a call without an object")?;
            let object = object.clone().cast::<Object>();
            let member = find(&object, name).ok_or_else(|| absent(&object, name))?;
            let args = args.iter_mut().map(|arg| value::from_script(arg.take()));
            call(&member, args.collect::<Result<_, _>>()?)
        });
    }
    let mut global = Module::new();
    global.set_var("host", Object(""));
    engine.register_global_module(global.into());
}

fn get(object: &mut Object, name: &'static str) -> Result<Dynamic, Box<EvalAltResult>> {
    match find(object, name) {
        Some(member) if member.is_property() => call(&member, Vec::new()),
        None if object.0.is_empty() => Ok(Dynamic::from(Object(name))),
        _ => Err(absent(object, name).into()),
    }
}

fn find(object: &Object, name: &str) -> Option<Member> {
    members().find(|member| member.interface == object.0 && member.name == name)
}

fn call(member: &Member, args: Vec<wasmhost_engine::Value>) -> Result<Dynamic, Box<EvalAltResult>> {
    Ok(value::to_script(member.call(args)?))
}

fn absent(object: &Object, name: &str) -> String {
    let dot = if object.0.is_empty() { "" } else { "." };
    format!("host{dot}{} has no {}", object.0, snake(name))
}

/// `idempotency-key` as Rhai writes it: `idempotency_key`.
fn snake(name: &str) -> String {
    name.replace('-', "_")
}
