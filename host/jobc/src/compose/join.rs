//! Joining: a module and its libraries to one component, by the wiring.

use super::Wiring;
use crate::module::{Admitted, Rejection, joined, manifest_of, reject};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};
use wasmhost_proto::limits::MAX_COMPOSED;
use wasmhost_proto::module::Provenance;

const HELP: &str =
    "build the module and its libraries against the same definition of their interfaces";

/// Makes the component. `libraries` are the bytes of the wiring's, in its order; all
/// bytes are those of an admitted module and of admitted libraries.
///
/// # Errors
/// Types that do not fit, what is larger than may be, and whatever else keeps the whole
/// from being a module that may run.
pub fn compose(
    wiring: &Wiring,
    module: &[u8],
    libraries: &[Vec<u8>],
) -> Result<Admitted, Rejection> {
    let bytes = module.len() + libraries.iter().map(Vec::len).sum::<usize>();
    if bytes as u64 > MAX_COMPOSED {
        let message = format!(
            "the module and its libraries have {bytes} bytes in all, and may have {MAX_COMPOSED}"
        );
        let help = "strip their debug information, or build them optimised for size";
        return Err(reject("too-large", message, help));
    }
    // The parts came from outside: what the composer does not expect may end in one of
    // its assertions.
    let joined_bytes = catch_unwind(AssertUnwindSafe(|| join(wiring, module, libraries)));
    let component = match joined_bytes {
        Ok(component) => component?,
        Err(_) => return Err(mismatch("the module and its libraries do not fit together")),
    };
    let made_from = Provenance {
        module: wiring.module,
        libraries: wiring.parts().libraries,
    };
    joined(component, manifest_of(module), made_from)
}

fn join(wiring: &Wiring, module: &[u8], libraries: &[Vec<u8>]) -> Result<Vec<u8>, Rejection> {
    let mut graph = CompositionGraph::new();
    let mut instances: Vec<NodeId> = Vec::with_capacity(libraries.len());
    for (at, bytes) in libraries.iter().enumerate() {
        let name = format!("wasmhost:library-{at}");
        let what = format!("the library `{}`", wiring.libraries[at].name);
        instances.push(instantiate(&mut graph, &name, bytes, &what)?.0);
    }
    let (task, exports) = instantiate(&mut graph, "wasmhost:module", module, "the module")?;
    for link in &wiring.links {
        let (user, whose) = match link.user {
            None => (task, "the module".to_owned()),
            Some(at) => {
                let name = &wiring.libraries[at].name;
                (instances[at], format!("the library `{name}`"))
            }
        };
        let library = &wiring.libraries[link.library].name;
        let failed = |error: &dyn Error| {
            mismatch(&format!(
                "'{}' of the library `{library}` is not what {whose} imports as '{}': {}",
                link.export,
                link.import,
                causes(error)
            ))
        };
        let export = graph
            .alias_instance_export(instances[link.library], &link.export)
            .map_err(|error| failed(&error))?;
        graph
            .set_instantiation_argument(user, &link.import, export)
            .map_err(|error| failed(&error))?;
    }
    let whole = |error: &dyn Error| {
        mismatch(&format!(
            "the module and its libraries do not fit together: {}",
            causes(error)
        ))
    };
    for name in exports {
        let export = graph.alias_instance_export(task, &name);
        let export = export.map_err(|error| whole(&error))?;
        graph.export(export, name).map_err(|error| whole(&error))?;
    }
    // It is validated with the sandbox's features when it is admitted.
    let options = EncodeOptions {
        define_components: true,
        validate: false,
        processor: None,
    };
    graph.encode(options).map_err(|error| whole(&error))
}

/// An instance of a component, and the names of what it exports.
fn instantiate(
    graph: &mut CompositionGraph,
    name: &str,
    bytes: &[u8],
    what: &str,
) -> Result<(NodeId, Vec<String>), Rejection> {
    let failed = |why: String| mismatch(&format!("{what} cannot be composed: {}", clip(&why)));
    let package = Package::from_bytes(name, None, bytes, graph.types_mut())
        .map_err(|error| failed(format!("{error:#}")))?;
    let exports = graph.types()[package.ty()].exports.keys().cloned();
    let exports = exports.collect();
    let package = graph.register_package(package);
    let package = package.map_err(|error| failed(error.to_string()))?;
    Ok((graph.instantiate(package), exports))
}

fn mismatch(message: &str) -> Rejection {
    reject("library-mismatch", message, HELP)
}

/// An error with all that is behind it.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut inner = error.source();
    while let Some(error) = inner {
        text.push_str(&format!(": {error}"));
        inner = error.source();
    }
    clip(&text)
}

/// Names of types came from outside.
fn clip(text: &str) -> String {
    text.chars().take(1_000).collect()
}
