//! Imports that neither the module nor the sandbox satisfies: matched against what the
//! operator's libraries export, and joined into one component.
//!
//! In two halves. [`wire`] goes by names alone, so that a plan can be made and explained
//! without any bytes; [`compose`] makes the component. Both are pure: they know no
//! store, and the same parts give the same bytes.

mod interface;
mod join;
mod show;
mod wire;

pub use crate::module::is_open;
pub use join::compose;
pub use show::{Local, imports, locally};
pub use wire::wire;

use wasmhost_proto::Digest;

/// A component that the operator registered for what it exports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub len: u64,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// What it imports.
    pub imports: Vec<String>,
}

/// What is made of a module and libraries: equal parts make equal bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Parts {
    /// The module.
    pub module: Digest,
    /// The libraries that go into it, each after those that it uses.
    pub libraries: Vec<Digest>,
}

/// Which library satisfies which import of a module, and of each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wiring {
    /// The module.
    pub module: Digest,
    /// The libraries that go into it, each after those that it uses.
    pub libraries: Vec<Library>,
    /// Every import that one of them satisfies.
    pub links: Vec<Link>,
}

/// An import, and the export that satisfies it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The library that imports, by its place in [`Wiring::libraries`]; none for the module.
    pub user: Option<usize>,
    /// The import.
    pub import: String,
    /// The library that satisfies it, by its place.
    pub library: usize,
    /// What it exports for it: the same interface, maybe in a later version.
    pub export: String,
}

impl Wiring {
    /// What is put together.
    pub fn parts(&self) -> Parts {
        Parts {
            module: self.module,
            libraries: self.libraries.iter().map(|l| l.digest).collect(),
        }
    }
}
