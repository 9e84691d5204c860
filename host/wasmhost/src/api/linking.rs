//! Modules and libraries put together: what a plan needs of that is composed first, each
//! once, and stored like any module. Which library goes where, the compiler says.

use super::catalogue::{Catalogue, facts};
use super::modules;
use super::problem::Problem;
use super::state::{App, Operator, blocking, turn};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::RwLockReadGuard;
use wasmhost_core::record::ComposedOf;
use wasmhost_jobc::compose::{Library, Parts, Wiring, compose, wire};
use wasmhost_jobc::module::{Admitted, Rejection};
use wasmhost_jobc::{Ambiguous, ModuleFacts};
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::grants::Ceiling;
use wasmhost_proto::limits::MAX_COMPOSITIONS;
use wasmhost_store::Blobs;

/// Times that a request is compiled: once more than needed where nobody changes modules
/// and libraries meanwhile.
const ROUNDS: usize = 3;

/// What becomes of a composed module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It is stored.
    Stored,
    /// It is looked at.
    Nothing,
}

/// Compiles, with all compositions made that it asks for. Gives the catalogue besides, held
/// as long as the guard is: its modules stay.
///
/// `small` is compiled on the spot, all else away from the async threads.
pub(crate) async fn settle<'a, T: Send + 'static>(
    app: &'a App,
    keep: Keep,
    small: bool,
    compile: impl Fn(&dyn wasmhost_jobc::Catalogue) -> Result<T, Problem> + Send + Sync + 'static,
) -> Result<(RwLockReadGuard<'a, Arc<Catalogue>>, T), Problem> {
    let compile = Arc::new(compile);
    let mut made = Made::default();
    for _ in 0..ROUNDS {
        let catalogue = app.catalogue.read().await;
        let (compiled, missing) = if small {
            attempt(&catalogue, &made, &app.operator, &*compile)
        } else {
            let (modules, known, compile) = (catalogue.clone(), made.clone(), compile.clone());
            let operator = app.operator.clone();
            blocking(move || attempt(&modules, &known, &operator, &*compile)).await
        };
        if missing.is_empty() {
            return Ok((catalogue, compiled?));
        }
        let modules = catalogue.clone();
        // To be stored, a composed module needs the catalogue for itself.
        drop(catalogue);
        for parts in missing.into_iter().take(MAX_COMPOSITIONS) {
            match make(app, &modules, keep, &parts).await? {
                Ok(_) if keep == Keep::Stored => {}
                other => {
                    Arc::make_mut(&mut made).insert(parts, other);
                }
            }
        }
    }
    Err(Problem::busy(
        "more was to be composed than one request may ask for, or libraries change all the time",
    ))
}

/// What came of compositions that are not in the catalogue.
type Made = Arc<BTreeMap<Parts, Result<ModuleFacts, Vec<Diagnostic>>>>;

/// Compiles once; tells besides what is still to be composed.
fn attempt<T>(
    modules: &Catalogue,
    made: &Made,
    operator: &Operator,
    compile: &dyn Fn(&dyn wasmhost_jobc::Catalogue) -> Result<T, Problem>,
) -> (Result<T, Problem>, BTreeSet<Parts>) {
    let linking = Linking {
        modules,
        made,
        missing: RefCell::default(),
        operator,
    };
    let compiled = compile(&linking);
    (compiled, linking.missing.into_inner())
}

/// The catalogue and what was composed since, with a note of what is still to be.
struct Linking<'a> {
    modules: &'a Catalogue,
    made: &'a Made,
    missing: RefCell<BTreeSet<Parts>>,
    operator: &'a Operator,
}

impl wasmhost_jobc::Catalogue for Linking<'_> {
    fn digest(&self, digest: Digest) -> Option<ModuleFacts> {
        wasmhost_jobc::Catalogue::digest(self.modules, digest)
    }

    fn find(&self, reference: &str) -> Result<Option<ModuleFacts>, Ambiguous> {
        wasmhost_jobc::Catalogue::find(self.modules, reference)
    }

    fn imports(&self, digest: Digest) -> Vec<String> {
        wasmhost_jobc::Catalogue::imports(self.modules, digest)
    }

    fn is_open(&self, digest: Digest) -> bool {
        wasmhost_jobc::Catalogue::is_open(self.modules, digest)
    }

    fn ceiling(&self) -> Option<&Ceiling> {
        Some(&self.operator.ceiling)
    }

    fn has_secret(&self, name: &str) -> bool {
        self.operator.vault.has(name)
    }

    fn libraries(&self) -> &[Library] {
        wasmhost_jobc::Catalogue::libraries(self.modules)
    }

    fn composed(&self, parts: &Parts) -> Option<Result<ModuleFacts, Vec<Diagnostic>>> {
        let known = wasmhost_jobc::Catalogue::composed(self.modules, parts);
        let known = known.or_else(|| self.made.get(parts).cloned());
        if known.is_none() {
            self.missing.borrow_mut().insert(parts.clone());
        }
        known
    }
}

/// Composes. A fault of the modules is an answer, too.
async fn make(
    app: &App,
    modules: &Catalogue,
    keep: Keep,
    parts: &Parts,
) -> Result<Result<ModuleFacts, Vec<Diagnostic>>, Problem> {
    let gone = || Problem::busy("a module was removed while it was composed");
    let module = modules.get(parts.module).ok_or_else(gone)?;
    let shelf = wasmhost_jobc::Catalogue::libraries(modules);
    let wiring = match wire(parts.module, &module.imports, shelf) {
        Ok(wiring) => wiring.ok_or_else(gone)?,
        Err(faults) => return Ok(Err(faults)),
    };
    // Bounds how many hold the bytes of a module and its libraries.
    let _turn = turn(&app.admissions).await?;
    let blobs = app.handle.blobs().clone();
    let composed = blocking(move || join(&blobs, wiring)).await;
    let (wiring, composed) =
        composed.map_err(|e| Problem::fault("a module or library could not be read", &e))?;
    let admitted = match composed {
        Ok(admitted) => admitted,
        Err(rejection) => return Ok(Err(rejection.diagnostics)),
    };
    if keep == Keep::Nothing {
        return Ok(Ok(modules::facts_of(&admitted)));
    }
    let libraries = wiring.libraries.into_iter().map(|l| (l.name, l.digest));
    let of = ComposedOf {
        module: wiring.module,
        libraries: libraries.collect(),
    };
    let record = modules::keep_composed(app, admitted, of).await?;
    Ok(Ok(facts(&record)))
}

type Joined = (Wiring, Result<Admitted, Rejection>);

fn join(blobs: &Blobs, wiring: Wiring) -> std::io::Result<Joined> {
    let module = std::fs::read(blobs.path(wiring.module))?;
    let libraries = wiring.libraries.iter();
    let libraries = libraries.map(|library| std::fs::read(blobs.path(library.digest)));
    let libraries: Vec<Vec<u8>> = libraries.collect::<std::io::Result<_>>()?;
    let composed = compose(&wiring, &module, &libraries);
    Ok((wiring, composed))
}
