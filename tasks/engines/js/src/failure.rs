//! Why a script did not come to its end, told with its own lines.

use boa_engine::{Context, JsError, JsObject, JsString, JsValue, js_string};
use wasmhost_engine::Failure;

/// What stopped a script.
pub(crate) enum Stop {
    /// Something was thrown.
    Thrown(JsError),
    /// The script is not what a script has to be.
    Script(&'static str),
}

impl From<JsError> for Stop {
    fn from(error: JsError) -> Stop {
        Stop::Thrown(error)
    }
}

/// What the interpreter puts before each frame.
const FRAME: &str = "\n    at ";

impl Stop {
    pub(crate) fn tell(self, file: &str, context: &mut Context) -> Failure {
        let error = match self {
            Stop::Script(what) => return Failure::new(format!("{file}: {what}")),
            Stop::Thrown(error) => error,
        };
        let text = error.to_string();
        let mut parts = text.split(FRAME);
        let whole = parts.next().unwrap_or_default().to_owned();
        // Frames without a name are those of the interpreter's own jobs.
        let frames = parts.filter(|frame| !frame.starts_with(' '));
        let stack: Vec<String> = frames.map(str::to_owned).collect();
        // Some errors of the interpreter itself are no values.
        let Ok(thrown) = error.into_opaque(context) else {
            return Failure {
                stack,
                ..Failure::new(whole)
            };
        };
        let (message, retryable) = match thrown.as_object() {
            Some(object) => about(&object, whole, context),
            None => (shown(&thrown, whole), false),
        };
        // An error without lines of its own is one of syntax: its message has the place.
        let message = match stack.is_empty() {
            true => format!("{file}: {message}"),
            false => message,
        };
        Failure {
            message,
            stack,
            retryable,
        }
    }
}

/// The message of a thrown object, and whether it says that another attempt may help.
fn about(object: &JsObject, whole: String, context: &mut Context) -> (String, bool) {
    let mut member = |name: JsString| object.get(name, context).unwrap_or_default();
    let retryable = member(js_string!("retryable")).as_boolean() == Some(true);
    let texts = [js_string!("name"), js_string!("message")].map(|name| {
        member(name)
            .as_string()
            .map(|text| text.to_std_string_lossy())
    });
    let message = match texts {
        [Some(name), Some(message)] if !message.is_empty() => format!("{name}: {message}"),
        [None, Some(message)] => message,
        [Some(name), None | Some(_)] => name,
        [None, None] => whole,
    };
    (message, retryable)
}

fn shown(thrown: &JsValue, whole: String) -> String {
    thrown
        .as_string()
        .map_or(whole, |text| text.to_std_string_lossy())
}
