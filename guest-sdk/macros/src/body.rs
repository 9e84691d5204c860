//! The members of a schema object while they are put together, as the
//! expressions that the derive writes.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Type;

/// Members, piece by piece.
#[derive(Default)]
pub(crate) struct Body {
    pieces: Vec<TokenStream>,
}

impl Body {
    pub(crate) fn text(mut self, text: impl AsRef<str>) -> Body {
        let text = text.as_ref();
        if !text.is_empty() {
            self.pieces
                .push(quote!(::wasmhost::schema::Piece::Text(#text)));
        }
        self
    }

    /// The object of another shape.
    pub(crate) fn sub(mut self, doc: &str, shape: impl ToTokens) -> Body {
        self.pieces
            .push(quote!(::wasmhost::schema::Piece::Sub(#doc, #shape)));
        self
    }
}

/// What a type's schema consists of.
pub(crate) enum Form {
    /// Members of its own.
    Own(Body),
    /// Those of another type.
    Same(Type),
}

impl From<Body> for Form {
    fn from(body: Body) -> Form {
        Form::Own(body)
    }
}

impl Form {
    /// The shape as an expression.
    pub(crate) fn shape(&self, doc: &str) -> TokenStream {
        match self {
            Form::Own(Body { pieces }) => quote! {
                ::wasmhost::schema::Shape { doc: #doc, body: &[#(#pieces),*] }
            },
            Form::Same(ty) => {
                let shape = shape_of(ty, false);
                quote!(#shape.described(#doc))
            }
        }
    }
}

/// The shape of a type as an expression, or that of anything.
pub(crate) fn shape_of(ty: &Type, any: bool) -> TokenStream {
    match any {
        true => quote!(::wasmhost::schema::Shape::ANY),
        false => quote!(<#ty as ::wasmhost::Schema>::SHAPE),
    }
}
