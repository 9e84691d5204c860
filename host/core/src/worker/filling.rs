//! What an attempt is given: its node's texts with its own values in them. Knows nothing
//! of when it runs.

use wasmhost_proto::input::{Item, RenderError, Rendered, Scope};
use wasmhost_proto::wire::NodeSpec;

/// What a spec has placeholders in, with one item's values.
pub(super) struct Filled {
    pub(super) input: Rendered,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) config: Vec<(String, String)>,
}

/// Fills the placeholders of a spec.
pub(super) fn render(spec: &NodeSpec, index: u32, item: &Item) -> Result<Filled, RenderError> {
    let count = spec.count;
    let scope = Scope {
        item,
        index,
        count,
        secrets: spec.secrets(),
    };
    let named = |(k, v): &(String, String)| Ok((k.clone(), scope.text(v)?));
    Ok(Filled {
        input: scope.input(&spec.input)?,
        args: each(&spec.args, |arg| scope.text(arg))?,
        env: each(&spec.env, named)?,
        config: each(&spec.config, named)?,
    })
}

/// Most specs have none of these, and this runs for each attempt.
fn each<T>(
    texts: &[T],
    fill: impl Fn(&T) -> Result<T, RenderError>,
) -> Result<Vec<T>, RenderError> {
    match texts.is_empty() {
        true => Ok(Vec::new()),
        false => texts.iter().map(fill).collect(),
    }
}
