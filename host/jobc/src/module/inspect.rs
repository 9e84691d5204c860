//! One pass over a module: validates it with the sandbox's features, counts its
//! shape, and notes what the other checks need.

use super::shape::Shape;
use super::{Rejection, manifest, reject};
use wasmhost_proto::module::MANIFEST_SECTION;
use wasmparser::types::{EntityType, Types};
use wasmparser::{
    BinaryReaderError, ComponentTypeRef, CustomSectionReader, Encoding, FuncToValidate,
    FuncValidatorAllocations, FunctionBody, KnownCustom, Parser, Payload, TypeBounds, ValidPayload,
    Validator, ValidatorResources, WasmFeatures,
};

/// What the sandbox's engine accepts: what toolchains emit by default, and
/// nothing whose implementation is young.
const FEATURES: WasmFeatures = WasmFeatures::FLOATS
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// What is known of a valid module.
pub(super) struct Facts {
    /// A component, not a core module.
    pub(super) component: bool,
    /// A core module that says which component it wants to be.
    pub(super) component_type: bool,
    /// The types of everything.
    pub(super) types: Types,
    /// What the outermost module imports.
    pub(super) imports: Vec<Import>,
    /// Names of what the outermost module exports.
    pub(super) exports: Vec<String>,
    /// The manifest section nearest to the outside.
    pub(super) manifest: Option<Vec<u8>>,
    /// Whether that is at the top.
    pub(super) manifest_on_top: bool,
    /// The tools that made it, such as `rustc 1.95.0`.
    pub(super) producers: Vec<String>,
}

/// An import of the outermost module.
pub(super) struct Import {
    /// `module.name`, or the component import's name.
    pub(super) name: String,
    /// The two names and the type of a core import.
    pub(super) core: Option<(String, String, Option<EntityType>)>,
    /// A component's import of a plain type, which needs nothing from the host.
    pub(super) plain_type: bool,
}

/// Reads and validates a module.
pub(super) fn inspect(bytes: &[u8]) -> Result<Facts, Rejection> {
    pass(bytes).map_err(|stop| match stop {
        Stop::Invalid(error) => invalid(bytes, &error),
        Stop::Rejected(rejection) => rejection,
    })
}

/// What ends the pass early.
enum Stop {
    Invalid(BinaryReaderError),
    Rejected(Rejection),
}

impl From<BinaryReaderError> for Stop {
    fn from(error: BinaryReaderError) -> Stop {
        Stop::Invalid(error)
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Stop {
        Stop::Rejected(rejection)
    }
}

fn pass(bytes: &[u8]) -> Result<Facts, Stop> {
    let mut pass = Pass {
        validator: Validator::new_with_features(FEATURES),
        allocations: FuncValidatorAllocations::default(),
        shape: Shape::default(),
        depth: 0,
        component: false,
        component_type: false,
        imports: Vec::new(),
        exports: Vec::new(),
        manifest: None,
        producers: Vec::new(),
    };
    let mut types = None;
    for payload in Parser::new(0).parse_all(bytes) {
        types = pass.payload(&payload?)?.or(types);
    }
    let Some(types) = types else {
        return Err(reject(
            "truncated",
            "the module ends in the middle",
            "copy or build it again",
        )
        .into());
    };
    Ok(Facts {
        component: pass.component,
        component_type: pass.component_type && !pass.component,
        types,
        imports: pass.imports,
        exports: pass.exports,
        manifest_on_top: matches!(pass.manifest, Some((1, _))),
        manifest: pass.manifest.map(|(_, data)| data),
        producers: pass.producers,
    })
}

struct Pass {
    validator: Validator,
    allocations: FuncValidatorAllocations,
    shape: Shape,
    /// Modules and components around the current payload, itself included.
    depth: usize,
    component: bool,
    component_type: bool,
    imports: Vec<Import>,
    exports: Vec<String>,
    /// A manifest, and how deep it was found.
    manifest: Option<(usize, Vec<u8>)>,
    producers: Vec<String>,
}

impl Pass {
    fn payload(&mut self, payload: &Payload<'_>) -> Result<Option<Types>, Stop> {
        self.shape.count(payload)?;
        let valid = self.validator.payload(payload)?;
        self.note(payload)?;
        match valid {
            ValidPayload::Func(function, body) => self.function(function, &body)?,
            ValidPayload::End(types) => {
                self.depth -= 1;
                return Ok((self.depth == 0).then_some(types));
            }
            _ => {}
        }
        Ok(None)
    }

    fn note(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.depth += 1;
                self.component |= self.depth == 1 && *encoding == Encoding::Component;
            }
            Payload::ImportSection(section) if self.depth == 1 => {
                for import in section.clone().into_imports() {
                    let import = import?;
                    let ty = self
                        .validator
                        .types(0)
                        .and_then(|t| t.entity_type_from_import(&import));
                    self.imports.push(Import {
                        name: format!("{}.{}", import.module, import.name),
                        core: Some((import.module.into(), import.name.into(), ty)),
                        plain_type: false,
                    });
                }
            }
            Payload::ComponentImportSection(section) if self.depth == 1 => {
                for import in section.clone() {
                    let import = import?;
                    self.imports.push(Import {
                        name: import.name.name.into(),
                        core: None,
                        plain_type: matches!(import.ty, ComponentTypeRef::Type(TypeBounds::Eq(_))),
                    });
                }
            }
            Payload::ExportSection(section) if self.depth == 1 => {
                for export in section.clone() {
                    self.exports.push(export?.name.into());
                }
            }
            Payload::ComponentExportSection(section) if self.depth == 1 => {
                for export in section.clone() {
                    self.exports.push(export?.name.name.into());
                }
            }
            Payload::CustomSection(section) => self.custom(section),
            _ => {}
        }
        Ok(())
    }

    fn custom(&mut self, section: &CustomSectionReader<'_>) {
        if section.name() == MANIFEST_SECTION {
            if self
                .manifest
                .as_ref()
                .is_none_or(|(depth, _)| self.depth < *depth)
            {
                self.manifest = Some((self.depth, section.data().to_vec()));
            }
        } else if section.name().starts_with("component-type") {
            self.component_type = true;
        } else if let KnownCustom::Producers(fields) = section.as_known() {
            manifest::producers(fields, &mut self.producers);
        }
    }

    /// Validates one function, operator by operator, to see its nesting grow.
    fn function(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), Stop> {
        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        reader.set_features(FEATURES);
        while !reader.eof() {
            let at = reader.original_position();
            reader
                .visit_operator(&mut validator.visitor(at))
                .and_then(|valid| valid)?;
            Shape::nesting(validator.index(), validator.control_stack_height())?;
        }
        let at = reader.original_position();
        reader.finish_expression(&validator.visitor(at))?;
        self.allocations = validator.into_allocations();
        Ok(())
    }
}

/// Why a module is not valid here.
fn invalid(bytes: &[u8], error: &BinaryReaderError) -> Rejection {
    let what = error.message();
    let at = error.offset();
    if what.contains("unexpected end") {
        let message = format!("the module ends in the middle: {what} (at byte {at})");
        return reject("truncated", message, "copy or build it again");
    }
    // With every feature there is, young ones among them.
    if Validator::new_with_features(WasmFeatures::all())
        .validate_all(bytes)
        .is_ok()
    {
        let message = format!("the module uses what sandboxes do not have: {what} (at byte {at})");
        let help = "build it without threads, exceptions, garbage collection, tail calls, relaxed SIMD and 64-bit memory";
        return reject("unsupported-feature", message, help);
    }
    reject(
        "invalid-module",
        format!("the module is not valid: {what} (at byte {at})"),
        "build it again; report it to the maker of the toolchain if it stays",
    )
}
