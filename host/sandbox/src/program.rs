//! Compiled modules, linked ahead: all that can be found wrong with a module
//! before it runs is found here.

use crate::host;
use crate::state::State;
use std::path::Path;
use thiserror::Error;
use wasmhost_proto::module::ModuleKind;
use wasmtime::component::{self, Component};
use wasmtime::{Engine, InstancePre, Module, Store};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{I32Exit, p0, p1, p2};

/// A module cannot be started here.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The compiled file is missing, of another engine, or over the pool's bounds.
    #[error("cannot map the compiled module {path}: {reason}")]
    Map {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// An import that does not exist or has another type, or a missing export.
    #[error("cannot link the module: {0}")]
    Link(String),
}

/// A module ready to be instantiated any number of times. Cheap to clone.
#[derive(Clone)]
pub struct Program {
    pub(crate) entry: Entry,
    /// Whether it imports `wasi:http`, which is there for who was granted the network.
    pub(crate) web: bool,
}

#[derive(Clone)]
pub(crate) enum Entry {
    Task(host::PlatformPre<State>),
    Command(CommandPre<State>),
    Core(InstancePre<State>),
}

impl Program {
    pub(crate) fn kind(&self) -> ModuleKind {
        match self.entry {
            Entry::Task(_) => ModuleKind::Task,
            Entry::Command(_) => ModuleKind::Command,
            Entry::Core(_) => ModuleKind::CoreCommand,
        }
    }
}

/// The linkers of the three kinds, made once.
pub(crate) struct Linkers {
    engine: Engine,
    component: component::Linker<State>,
    core: wasmtime::Linker<State>,
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Linkers> {
        let mut component = component::Linker::new(engine);
        // Everything of WASI 0.2 is there, since standard libraries import all
        // of it; files and sockets fail for want of grants in the context.
        p2::add_to_linker_async(&mut component)?;
        host::add_to_linker(&mut component)?;

        let mut core = wasmtime::Linker::new(engine);
        p1::add_to_linker_async(&mut core, |state: &mut State| &mut state.wasi)?;
        p0::add_to_linker_async(&mut core, |state: &mut State| &mut state.wasi)?;
        // Wasmtime turns exit codes from 126 on into traps; users want theirs.
        core.allow_shadowing(true);
        for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
            core.func_wrap(module, "proc_exit", |code: i32| -> wasmtime::Result<()> {
                Err(I32Exit(code).into())
            })?;
        }
        Ok(Linkers {
            engine: engine.clone(),
            component,
            core,
        })
    }

    /// Maps and links a compiled module.
    pub(crate) fn load(&self, path: &Path, kind: ModuleKind) -> Result<Program, LoadError> {
        let mut web = false;
        let entry = match kind {
            ModuleKind::Task => self
                .component(path, &mut web)
                .and_then(|pre| host::PlatformPre::new(pre).map_err(link_error))
                .map(Entry::Task),
            ModuleKind::Command => self
                .component(path, &mut web)
                .and_then(|pre| CommandPre::new(pre).map_err(link_error))
                .map(Entry::Command),
            ModuleKind::CoreCommand => self.core(path).map(Entry::Core),
        };
        Ok(Program { entry: entry?, web })
    }

    /// Instantiates a component that was compiled a moment ago, in this process.
    pub(crate) async fn instantiate(
        &self,
        store: &mut Store<State>,
        component: &Component,
    ) -> wasmtime::Result<component::Instance> {
        self.component.instantiate_async(store, component).await
    }

    #[allow(unsafe_code)]
    fn component(
        &self,
        path: &Path,
        web: &mut bool,
    ) -> Result<component::InstancePre<State>, LoadError> {
        // SAFETY: the file is native code that this worker compiled itself and
        // keeps in a folder of its own; the supervisor checked its MAC before
        // it named the path.
        let component = unsafe { Component::deserialize_file(&self.engine, path) };
        let component = component.map_err(|error| map_error(path, &error))?;
        let imports = component.component_type();
        let mut imports = imports.imports(&self.engine);
        *web = imports.any(|(name, _)| name.starts_with("wasi:http/"));
        if !*web {
            return self
                .component
                .instantiate_pre(&component)
                .map_err(link_error);
        }
        let mut linker = self.component.clone();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).map_err(link_error)?;
        linker.instantiate_pre(&component).map_err(link_error)
    }

    #[allow(unsafe_code)]
    fn core(&self, path: &Path) -> Result<InstancePre<State>, LoadError> {
        // SAFETY: as for components.
        let module = unsafe { Module::deserialize_file(&self.engine, path) };
        let module = module.map_err(|error| map_error(path, &error))?;
        let start = module.get_export("_start");
        let start = start.as_ref().and_then(|e| e.func());
        if !start.is_some_and(|f| f.params().len() == 0 && f.results().len() == 0) {
            let what = "it exports no function '_start' without parameters and results";
            return Err(LoadError::Link(what.into()));
        }
        self.core.instantiate_pre(&module).map_err(link_error)
    }
}

fn map_error(path: &Path, error: &wasmtime::Error) -> LoadError {
    LoadError::Map {
        path: path.display().to_string(),
        reason: format!("{error:#}"),
    }
}

fn link_error(error: wasmtime::Error) -> LoadError {
    LoadError::Link(format!("{error:#}"))
}
