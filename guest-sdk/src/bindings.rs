//! The WIT package `wasmhost:task` as Rust, generated. Nothing is written here by hand.
#![allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated: the canonical ABI passes raw pointers and lengths"
)]

wit_bindgen::generate!({
    path: "../proto/wit",
    world: "task",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_task",
    default_bindings_module: "wasmhost::bindings",
});
