//! `#[task]`: checks the function and writes the component's export and manifest.

use crate::json;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, FnArg, ItemFn, ReturnType, Type};

const FORM: &str = "a task is `fn run(ctx: &Context, input: In) -> Result<Out, TaskError>`";

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(_) => return error(&item, "only a function can be a task"),
    };
    let checked = match arguments.is_empty() {
        true => check(&function),
        false => Err(Error::new_spanned(
            arguments,
            "`#[wasmhost::task]` takes no arguments",
        )),
    };
    match checked {
        // The function stays, so that what is wrong with it is all that is reported.
        Err(errors) => {
            let errors = errors.into_compile_error();
            quote!(#function #errors)
        }
        Ok((input, returned)) => write(&function, &input, &returned),
    }
}

fn error(at: &impl ToTokens, what: &str) -> TokenStream {
    Error::new_spanned(at, format!("{what}: {FORM}")).into_compile_error()
}

/// The types of the input and of what is returned, or all that is wrong.
fn check(function: &ItemFn) -> Result<(Type, Type), Error> {
    let signature = &function.sig;
    let mut errors: Option<Error> = None;
    let mut wrong = |at: &dyn ToTokens, what: &str| {
        let error = Error::new_spanned(at, format!("{what}: {FORM}"));
        match &mut errors {
            Some(errors) => errors.combine(error),
            None => errors = Some(error),
        }
    };
    if let Some(token) = &signature.asyncness {
        wrong(token, "a task is not async");
    }
    if let Some(token) = &signature.unsafety {
        wrong(token, "a task is not unsafe");
    }
    if !signature.generics.params.is_empty() {
        wrong(&signature.generics, "a task is not generic");
    }
    let inputs: Vec<&FnArg> = signature.inputs.iter().collect();
    let input = match inputs.as_slice() {
        [FnArg::Typed(ctx), FnArg::Typed(input)] => {
            if !matches!(&*ctx.ty, Type::Reference(ty) if ty.mutability.is_none()) {
                wrong(&ctx.ty, "the first argument is `&Context`");
            }
            if matches!(&*input.ty, Type::Reference(_)) {
                wrong(&input.ty, "a task owns its input");
            }
            Some((*input.ty).clone())
        }
        _ => {
            wrong(
                &signature.ident,
                "a task takes two arguments (`input: ()` when it needs none)",
            );
            None
        }
    };
    let returned = match &signature.output {
        ReturnType::Type(_, ty) => Some((**ty).clone()),
        ReturnType::Default => {
            wrong(&signature.ident, "a task returns a `Result`");
            None
        }
    };
    match (errors, input, returned) {
        (None, Some(input), Some(returned)) => Ok((input, returned)),
        (errors, ..) => {
            Err(errors.unwrap_or_else(|| Error::new_spanned(function, "this cannot be a task")))
        }
    }
}

fn write(function: &ItemFn, input: &Type, returned: &Type) -> TokenStream {
    let name = &function.sig.ident;
    let head = manifest_head(&json::doc(&function.attrs));
    quote! {
        #function

        // Also what keeps a private function from being dead code outside WebAssembly.
        const _: fn(&::wasmhost::Context, #input) -> #returned = #name;

        /// The manifest of this crate's one task, as JSON.
        #[doc(hidden)]
        #[allow(dead_code)]
        pub const THE_ONE_TASK_OF_THIS_CRATE: &str = {
            const PIECES: &[::wasmhost::schema::Piece] =
                &::wasmhost::rt::manifest::<#input, #returned>(#head);
            const BYTES: [u8; ::wasmhost::schema::len(PIECES)] =
                ::wasmhost::schema::render(PIECES);
            ::wasmhost::rt::text(&BYTES)
        };

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "exporting a function and placing a section are unsafe")]
        const _: () = {
            struct Task;
            impl ::wasmhost::bindings::Guest for Task {
                fn run(
                    input: ::std::vec::Vec<u8>,
                ) -> ::core::result::Result<
                    ::std::vec::Vec<u8>,
                    ::wasmhost::bindings::TaskError,
                > {
                    ::wasmhost::rt::run::<#input, #returned>(#name, input)
                }
            }
            ::wasmhost::bindings::export_task!(Task with_types_in ::wasmhost::bindings);

            #[used]
            #[unsafe(link_section = "wasmhost:manifest")]
            static MANIFEST: [u8; THE_ONE_TASK_OF_THIS_CRATE.len()] = ::wasmhost::rt::section(THE_ONE_TASK_OF_THIS_CRATE);
        };
    }
}

/// What the manifest says without looking at types: the object's beginning.
fn manifest_head(doc: &str) -> String {
    // Set by cargo for the crate that is compiled; rustc alone sets neither.
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let name = json::string(package.strip_prefix("task-").unwrap_or(&package));
    let version = json::string(&version);
    format!("{{\"name\":{name},\"version\":{version},\"description\":\"{doc}\"")
}
