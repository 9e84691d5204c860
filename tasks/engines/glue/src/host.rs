//! The object `host` of scripts: what it has, and how a function of it is called.

use crate::bindings::wasi::config::store;
use crate::bindings::wasmhost::task::log as platform;
use crate::convert::{FromValue, result};
use crate::glue::FUNCTIONS;
use crate::value::Value;
use std::cell::Cell;

thread_local! {
    /// Whether the script is being read where there is no attempt: who asks for one, or
    /// speaks to one, would be answered once for all attempts to come.
    pub(crate) static AHEAD: Cell<bool> = const { Cell::new(false) };
}

/// What may be called all the same: whoever builds the module reads it.
const ALWAYS: &str = "log";

/// A function of the platform.
pub struct Function {
    /// Its interface, which is a member of `host`; empty for members of `host` itself.
    pub interface: &'static str,
    /// Its name, in words joined by `-`.
    pub name: &'static str,
    /// What it takes.
    pub params: &'static [Param],
    /// Whether it gives anything.
    pub gives: bool,
    /// Calls it.
    pub call: fn(Args) -> Result<Value, String>,
}

/// A parameter.
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Whether null does.
    pub optional: bool,
    /// The only values there are; empty when there are others.
    pub choices: &'static [&'static str],
}

/// A member of `host`, or of one of its interfaces.
#[derive(Clone, Copy)]
pub struct Member {
    /// The interface; empty for members of `host` itself.
    pub interface: &'static str,
    /// Its name, in words joined by `-`.
    pub name: &'static str,
    /// What is called.
    pub function: &'static Function,
    /// A first argument that the name stands for.
    pub first: Option<&'static str>,
}

/// Members that are no functions of our interfaces by themselves.
static OWN: &[Function] = &[Function {
    interface: "",
    name: "config",
    params: &[Param {
        name: "key",
        optional: false,
        choices: &[],
    }],
    gives: true,
    call: config,
}];

/// Functions that are members of `host` too.
const SHORT: [(&str, &str); 1] = [("status", "progress")];

fn config(mut args: Args) -> Result<Value, String> {
    let key: String = args.next("key")?;
    args.end()?;
    result(store::get(&key).map_err(|error| match error {
        store::Error::Upstream(why) | store::Error::Io(why) => why,
    }))
}

/// Everything that `host` has. Where a function's first parameter has few values,
/// each is a member of its own: `host.log.info`.
pub fn members() -> impl Iterator<Item = Member> {
    FUNCTIONS.iter().chain(OWN).flat_map(|function| {
        let Function {
            interface, name, ..
        } = *function;
        let member = |interface, name, first| Member {
            interface,
            name,
            function,
            first,
        };
        let short = SHORT.contains(&(interface, name));
        let choices = function
            .params
            .first()
            .map_or(&[][..], |param| param.choices);
        let choices = choices
            .iter()
            .map(move |choice| member(interface, *choice, Some(*choice)));
        [member(interface, name, None)]
            .into_iter()
            .chain(short.then(|| member("", name, None)))
            .chain(choices)
    })
}

impl Member {
    /// Whether it is read like a value, without a call: it takes nothing and gives
    /// something.
    pub fn is_property(&self) -> bool {
        self.function.gives && self.function.params.is_empty()
    }

    /// How many arguments it takes, at least and at most.
    pub fn arity(&self) -> (usize, usize) {
        let params = &self.function.params[usize::from(self.first.is_some())..];
        let needed = params.iter().rposition(|param| !param.optional);
        (needed.map_or(0, |at| at + 1), params.len())
    }

    /// Calls it. The error says which member was called.
    pub fn call(&self, args: impl IntoIterator<Item = Value>) -> Result<Value, String> {
        let Member {
            interface, name, ..
        } = self;
        let dot = if interface.is_empty() { "" } else { "." };
        let told = |why: String| format!("host{dot}{interface}.{name}: {why}");
        if AHEAD.get() && *interface != ALWAYS {
            let why = "there is no attempt while the module is built: ask in the function";
            return Err(told(why.into()));
        }
        let first = self.first.map(|choice| Value::Text(choice.into()));
        let args = Args(
            first
                .into_iter()
                .chain(args)
                .collect::<Vec<_>>()
                .into_iter(),
        );
        (self.function.call)(args).map_err(told)
    }
}

/// The arguments of a call.
pub struct Args(std::vec::IntoIter<Value>);

impl Args {
    /// The next one; an absent one is as good as null.
    #[allow(private_bounds, reason = "the table alone calls it")]
    pub fn next<T: FromValue>(&mut self, name: &str) -> Result<T, String> {
        let value = self.0.next().unwrap_or(Value::Null);
        T::from_value(value).map_err(|why| format!("{name}: {why}"))
    }

    /// There must be no more.
    pub fn end(mut self) -> Result<(), String> {
        match self.0.any(|value| value != Value::Null) {
            true => Err("too many arguments".into()),
            false => Ok(()),
        }
    }
}

/// How loud a line of a script's own console is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// For whoever wrote the script.
    Debug,
    /// The usual.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a line to the log of the attempt.
pub fn log(level: Level, message: &str) {
    let level = match level {
        Level::Debug => platform::Level::Debug,
        Level::Info => platform::Level::Info,
        Level::Warn => platform::Level::Warn,
        Level::Error => platform::Level::Error,
    };
    platform::write(level, message);
}
