//! Between the values of scripts and the types of the WIT. A whole number fits
//! wherever a whole number is wanted, whatever type of the language it came in.

use crate::value::Value;

/// A type that a script's value becomes.
pub(crate) trait FromValue: Sized {
    /// Whether the value is of this kind, for choosing a case of a variant.
    fn fits(value: &Value) -> bool;

    fn from_value(value: Value) -> Result<Self, String>;

    fn list(value: Value) -> Result<Vec<Self>, String> {
        match value {
            Value::List(values) => values.into_iter().map(Self::from_value).collect(),
            other => Err(wanted("a list", &other)),
        }
    }
}

/// A type that becomes a script's value.
pub(crate) trait IntoValue: Sized {
    fn into_value(self) -> Value;

    /// The name of a variant's case.
    fn case(&self) -> Option<&'static str> {
        None
    }

    fn list(values: Vec<Self>) -> Value {
        Value::List(values.into_iter().map(Self::into_value).collect())
    }
}

/// Asks whether a value fits what a case of a variant carries.
pub(crate) struct Fit<'a>(pub(crate) &'a Value);

impl Fit<'_> {
    pub(crate) fn of<T: FromValue, V>(&self, _: fn(T) -> V) -> bool {
        T::fits(self.0)
    }
}

/// A member of an object; an absent one is as good as null.
#[allow(dead_code, reason = "whether a record occurs is up to the WIT")]
pub(crate) fn member<T: FromValue>(value: &mut Value, name: &str) -> Result<T, String> {
    let Value::Map(members) = value else {
        return Err(wanted("an object", value));
    };
    // JavaScript's habit of writing names is understood too.
    let at = members.iter().position(|(key, _)| kebab(key) == name);
    let value = at.map_or(Value::Null, |at| members.swap_remove(at).1);
    T::from_value(value).map_err(|error| format!("{name}: {error}"))
}

/// A WIT result; its error is thrown: its text, or the name of its case and what that carries.
pub(crate) fn result<T: IntoValue, E: IntoValue>(result: Result<T, E>) -> Result<Value, String> {
    result.map(T::into_value).map_err(|error| {
        let case = error.case();
        match (error.into_value(), case) {
            (Value::Text(text), _) => text,
            (other, Some(case)) => format!("{case}: {}", other.json().unwrap_or_default()),
            (other, None) => other.json().unwrap_or_default(),
        }
    })
}

fn wanted(what: &str, got: &Value) -> String {
    format!("{what} is wanted, not {}", got.kind())
}

/// `idempotencyKey` and `idempotency_key` as the WIT has it: `idempotency-key`.
#[allow(dead_code, reason = "whether a record occurs is up to the WIT")]
fn kebab(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        match letter {
            '_' => out.push('-'),
            'A'..='Z' => out.extend(['-', letter.to_ascii_lowercase()]),
            _ => out.push(letter),
        }
    }
    out
}

macro_rules! integers {
    ($($ty:ident $more:tt)*) => {$(
        impl FromValue for $ty {
            fn fits(value: &Value) -> bool {
                matches!(value, Value::Int(number) if $ty::try_from(*number).is_ok())
            }

            fn from_value(value: Value) -> Result<$ty, String> {
                let number = match value {
                    Value::Int(number) => number,
                    Value::Float(number) if number.fract() == 0.0 => number as i128,
                    other => return Err(wanted("a whole number", &other)),
                };
                let (min, max) = ($ty::MIN, $ty::MAX);
                $ty::try_from(number)
                    .map_err(|_| format!("a number from {min} to {max} is wanted, not {number}"))
            }

            integers!(@from $more);
        }

        impl IntoValue for $ty {
            fn into_value(self) -> Value {
                Value::Int(self.into())
            }

            integers!(@into $more);
        }
    )*};
    (@from ()) => {};
    (@into ()) => {};
    (@from (bytes)) => {
        fn list(value: Value) -> Result<Vec<u8>, String> {
            match value {
                Value::Bytes(bytes) => Ok(bytes),
                Value::List(values) => values.into_iter().map(u8::from_value).collect(),
                other => Err(wanted("bytes", &other)),
            }
        }
    };
    (@into (bytes)) => {
        fn list(values: Vec<u8>) -> Value {
            Value::Bytes(values)
        }
    };
}

integers!(u8 (bytes) u16 () u32 () u64 () i8 () i16 () i32 () i64 ());

macro_rules! simple {
    ($($ty:ty: $what:literal, $fits:pat, $($pattern:pat => $value:expr),+; $into:expr;)*) => {$(
        impl FromValue for $ty {
            fn fits(value: &Value) -> bool {
                matches!(value, $fits)
            }

            fn from_value(value: Value) -> Result<$ty, String> {
                match value {
                    $($pattern => Ok($value),)+
                    other => Err(wanted($what, &other)),
                }
            }
        }

        impl IntoValue for $ty {
            fn into_value(self) -> Value {
                $into(self)
            }
        }
    )*};
}

simple! {
    bool: "a boolean", Value::Flag(_), Value::Flag(flag) => flag; Value::Flag;
    f64: "a number", Value::Int(_) | Value::Float(_),
        Value::Float(number) => number, Value::Int(number) => number as f64; Value::Float;
    String: "a text", Value::Text(_), Value::Text(text) => text; Value::Text;
}

impl IntoValue for () {
    fn into_value(self) -> Value {
        Value::Null
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn fits(value: &Value) -> bool {
        matches!(value, Value::Null) || T::fits(value)
    }

    fn from_value(value: Value) -> Result<Option<T>, String> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn fits(value: &Value) -> bool {
        matches!(value, Value::List(_) | Value::Bytes(_))
    }

    fn from_value(value: Value) -> Result<Vec<T>, String> {
        T::list(value)
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        T::list(self)
    }
}

impl<A: FromValue, B: FromValue> FromValue for (A, B) {
    fn fits(value: &Value) -> bool {
        matches!(value, Value::List(values) if values.len() == 2)
    }

    fn from_value(value: Value) -> Result<(A, B), String> {
        match value {
            Value::List(values) => match <[Value; 2]>::try_from(values) {
                Ok([a, b]) => Ok((A::from_value(a)?, B::from_value(b)?)),
                Err(values) => Err(format!("a list of two is wanted, not of {}", values.len())),
            },
            other => Err(wanted("a list of two", &other)),
        }
    }
}

impl<A: IntoValue, B: IntoValue> IntoValue for (A, B) {
    fn into_value(self) -> Value {
        Value::List(vec![self.0.into_value(), self.1.into_value()])
    }
}
