//! The macros of `wasmhost-guest`: `#[task]` and `#[derive(Schema)]`. Use them
//! through that crate; the code they write names nothing but `::wasmhost`.

mod body;
mod case;
mod json;
mod schema;
mod serde_attrs;
mod task;
mod variants;

use proc_macro::TokenStream;

/// Makes a function the task of its crate:
/// `fn run(ctx: &Context, input: In) -> Result<Out, TaskError>`.
///
/// The crate becomes a component that exports the function as `run`, and
/// carries a manifest: its name (the package's, without a leading `task-`),
/// its version, the function's doc comment, and the JSON Schemas of input and
/// output. The function itself stays as it is, for tests to call.
#[proc_macro_attribute]
pub fn task(arguments: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(arguments.into(), item.into()).into()
}

/// Derives the JSON Schema of a type from its fields, doc comments and serde attributes.
#[proc_macro_derive(Schema, attributes(serde, schema))]
pub fn derive_schema(item: TokenStream) -> TokenStream {
    let item = syn::parse_macro_input!(item as syn::DeriveInput);
    schema::expand(&item)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
