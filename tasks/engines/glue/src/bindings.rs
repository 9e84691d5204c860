//! The world `engine` as Rust, generated. Nothing is written here by hand.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated: the canonical ABI passes raw pointers and lengths"
)]

wit_bindgen::generate!({
    path: "../../../proto/wit",
    world: "engine",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_engine",
    default_bindings_module: "wasmhost_engine::bindings",
});
