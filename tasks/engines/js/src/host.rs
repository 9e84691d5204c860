//! The object `host`, made from the platform's table.

use crate::value;
use boa_engine::object::{FunctionObjectBuilder, ObjectInitializer};
use boa_engine::property::Attribute;
use boa_engine::{
    Context, JsNativeError, JsObject, JsResult, JsString, JsValue, NativeFunction, js_string,
};
use wasmhost_engine::{Member, members};

pub(crate) fn register(context: &mut Context) -> JsResult<()> {
    let mut interfaces: Vec<(&str, Vec<Member>)> = Vec::new();
    for member in members() {
        match interfaces
            .iter_mut()
            .find(|(name, _)| *name == member.interface)
        {
            Some((_, members)) => members.push(member),
            None => interfaces.push((member.interface, vec![member])),
        }
    }
    let host = JsObject::with_object_proto(context.intrinsics());
    for (name, members) in interfaces {
        if name.is_empty() {
            for member in members {
                let function = function(member, context);
                host.create_data_property_or_throw(camel(member.name), function, context)?;
            }
        } else {
            let object = object(&members, context);
            host.create_data_property_or_throw(camel(name), object, context)?;
        }
    }
    context.register_global_property(js_string!("host"), host, Attribute::all())
}

fn object(members: &[Member], context: &mut Context) -> JsObject {
    let functions: Vec<JsValue> = members
        .iter()
        .map(|member| function(*member, context))
        .collect();
    let mut object = ObjectInitializer::new(context);
    for (member, function) in members.iter().zip(functions) {
        match function.as_function().filter(|_| member.is_property()) {
            Some(get) => {
                object.accessor(camel(member.name), Some(get), None, Attribute::ENUMERABLE)
            }
            None => object.property(camel(member.name), function, Attribute::all()),
        };
    }
    object.build()
}

fn function(member: Member, context: &mut Context) -> JsValue {
    let native =
        NativeFunction::from_copy_closure(move |_, args, context| call(member, args, context));
    FunctionObjectBuilder::new(context.realm(), native)
        .name(camel(member.name))
        .length(member.arity().0)
        .build()
        .into()
}

fn call(member: Member, args: &[JsValue], context: &mut Context) -> JsResult<JsValue> {
    let args = args.iter().map(|arg| value::from_script(arg, context));
    let args: Vec<_> = args.collect::<JsResult<_>>()?;
    match member.call(args) {
        Ok(_) if !member.function.gives => Ok(JsValue::undefined()),
        Ok(value) => value::to_script(value, context),
        Err(why) => Err(JsNativeError::typ().with_message(why).into()),
    }
}

/// `idempotency-key` as JavaScript writes it: `idempotencyKey`.
fn camel(name: &str) -> JsString {
    let mut words = name.split('-');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        out.push_str(&first.to_ascii_uppercase());
        out.push_str(rest);
    }
    JsString::from(out)
}
