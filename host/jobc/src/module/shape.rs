//! Bounds on the shape of a module, over all modules nested in a component:
//! compilers need more than linear time or memory for some of them.

use super::{Rejection, reject};
use wasmhost_proto::limits::*;
use wasmparser::Payload;

/// What has been counted so far.
#[derive(Default)]
pub(super) struct Shape {
    functions: u64,
    types: u64,
    imports: u64,
    data_segments: u64,
}

impl Shape {
    /// Counts one section, by what its header announces, before it is read.
    pub(super) fn count(&mut self, payload: &Payload<'_>) -> Result<(), Rejection> {
        let (counter, count, limit, what) = match payload {
            Payload::FunctionSection(s) => {
                (&mut self.functions, s.count(), MAX_FUNCTIONS, "functions")
            }
            Payload::TypeSection(s) => (&mut self.types, s.count(), MAX_TYPES, "types"),
            Payload::CoreTypeSection(s) => (&mut self.types, s.count(), MAX_TYPES, "types"),
            Payload::ComponentTypeSection(s) => (&mut self.types, s.count(), MAX_TYPES, "types"),
            Payload::ImportSection(s) => (&mut self.imports, s.count(), MAX_IMPORTS, "imports"),
            Payload::ComponentImportSection(s) => {
                (&mut self.imports, s.count(), MAX_IMPORTS, "imports")
            }
            Payload::DataSection(s) => (
                &mut self.data_segments,
                s.count(),
                MAX_DATA_SEGMENTS,
                "data segments",
            ),
            _ => return Ok(()),
        };
        *counter += u64::from(count);
        match *counter > u64::from(limit) {
            true => Err(reject(
                "too-complex",
                format!("the module has {counter} {what}, and may have {limit}"),
                "split it into several tasks, or leave out what it does not need",
            )),
            false => Ok(()),
        }
    }

    /// Judges how deep blocks are nested in a function.
    pub(super) fn nesting(function: u32, depth: u32) -> Result<(), Rejection> {
        match depth > MAX_BLOCK_DEPTH {
            true => Err(reject(
                "too-complex",
                format!("function {function} nests blocks more than {MAX_BLOCK_DEPTH} deep"),
                "split the function, or have it generated with a table",
            )),
            false => Ok(()),
        }
    }
}
