//! The state of an instrumented instance, read out whole: its memories and globals, by
//! the functions that the instrumentation added for them.

use crate::state::State;
use std::collections::HashMap;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Instance, Type};
use wasmtime::{Result, Store, format_err};
use wasmtime_wizer::ComponentInstanceState;

/// What is read out, by the name of its function. All of it is there before it is
/// asked for: the one who asks cannot be told of a failure.
pub(crate) struct Snapshot(HashMap<String, Value>);

enum Value {
    Bytes(Vec<u8>),
    Int(i32),
    Long(i64),
    Float(u32),
    Double(u64),
}

/// Where the instrumentation puts its functions.
const ACCESS: &str = "wasmtime:wizer/access";

impl Snapshot {
    pub(crate) async fn take(
        store: &mut Store<State>,
        component: &Component,
        instance: &Instance,
    ) -> Result<Snapshot> {
        let missing = || format_err!("the instrumented engine has no `{ACCESS}`");
        let (ty, access) = component.get_export(None, ACCESS).ok_or_else(missing)?;
        let ComponentItem::ComponentInstance(ty) = ty else {
            return Err(missing());
        };
        let engine = store.engine().clone();
        let mut values = HashMap::new();
        for (name, item) in ty.exports(&engine) {
            let ComponentItem::ComponentFunc(ty) = item.ty else {
                continue;
            };
            let index = component.get_export_index(Some(&access), name);
            let index = index.ok_or_else(missing)?;
            macro_rules! call {
                ($ty:ty) => {{
                    let func = instance.get_typed_func::<(), ($ty,)>(&mut *store, index)?;
                    func.call_async(&mut *store, ()).await?.0
                }};
            }
            let value = match ty.results().next() {
                Some(Type::List(_)) => Value::Bytes(call!(Vec<u8>)),
                Some(Type::S32) => Value::Int(call!(i32)),
                Some(Type::S64) => Value::Long(call!(i64)),
                Some(Type::Float32) => Value::Float(call!(f32).to_bits()),
                Some(Type::Float64) => Value::Double(call!(f64).to_bits()),
                _ => return Err(format_err!("`{name}` reads what cannot be kept")),
            };
            values.insert(name.to_owned(), value);
        }
        Ok(Snapshot(values))
    }
}

/// What the instrumentation asks for it has put there itself: a gap is a mistake of the
/// library's, and what it would be filled with shows in the module's check.
macro_rules! read {
    ($self:ident, $func:ident, $kind:ident) => {
        match $self.0.get($func) {
            Some(Value::$kind(value)) => *value,
            _ => 0,
        }
    };
}

impl ComponentInstanceState for Snapshot {
    async fn call_func_ret_list_u8(
        &mut self,
        _: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        match self.0.get(func) {
            Some(Value::Bytes(bytes)) => contents(bytes),
            _ => contents(&[]),
        }
    }

    async fn call_func_ret_s32(&mut self, _: &str, func: &str) -> i32 {
        read!(self, func, Int)
    }

    async fn call_func_ret_s64(&mut self, _: &str, func: &str) -> i64 {
        read!(self, func, Long)
    }

    async fn call_func_ret_f32(&mut self, _: &str, func: &str) -> u32 {
        read!(self, func, Float)
    }

    async fn call_func_ret_f64(&mut self, _: &str, func: &str) -> u64 {
        read!(self, func, Double)
    }
}
