//! What the parts of the expansion have in common.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Expr, Generics};

use crate::{
    function::{Argument, Function},
    generics::{needed, turbofish},
    key::Key,
    options::Options,
};

/// Everything that the expansion is made from.
pub(crate) struct Parts<'a> {
    pub(crate) function: &'a Function,
    pub(crate) options: &'a Options,
    pub(crate) cache: &'a Expr,
    pub(crate) key: Key<'a>,
    pub(crate) larder: TokenStream,
}

impl Parts<'_> {
    /// `&self,` where the function has it.
    pub(crate) fn receiver_input(&self) -> Option<TokenStream> {
        self.function.receiver.as_ref().map(|receiver| quote!(#receiver,))
    }

    /// `self,` where the function has it.
    pub(crate) fn receiver(&self) -> Option<TokenStream> {
        let receiver = self.function.receiver.as_ref()?;
        let receiver = receiver.self_token;
        Some(quote!(#receiver,))
    }

    /// `name: type`, for each of `arguments`.
    pub(crate) fn inputs<'a>(arguments: impl IntoIterator<Item = &'a Argument>) -> Vec<TokenStream> {
        let input = |Argument { name, ty }: &Argument| quote!(#name: #ty);
        arguments.into_iter().map(input).collect()
    }

    /// A call of the function proper with all its arguments.
    pub(crate) fn called_anew(&self, refresh: &TokenStream) -> TokenStream {
        let (call, turbofish) = (
            self.function.beside("__call"),
            turbofish(&self.function.item.sig.generics),
        );
        let owner = if self.function.is_associated {
            quote!(Self)
        } else {
            self.function.name().to_token_stream()
        };
        let receiver = self.receiver();
        let arguments = self.function.arguments.iter().map(|argument| &argument.name);
        let call = quote!(#owner::#call #turbofish(#receiver #refresh, #(#arguments),*));
        if self.function.is_async() {
            quote!(#call.await)
        } else {
            call
        }
    }

    /// An expression that makes the key, where the arguments are there by value.
    pub(crate) fn made_key(&self) -> TokenStream {
        let (key, turbofish) = (
            self.function.beside_for_key(),
            turbofish(&self.generics_of_key(&TokenStream::new())),
        );
        let receiver = self.receiver();
        let arguments = self.key.arguments.iter().map(|argument| &argument.name);
        quote!(Self::#key #turbofish(#receiver #(&#arguments),*))
    }

    /// The generics that the key's arguments need, the cache, and `besides`.
    pub(crate) fn generics_of_key(&self, besides: &TokenStream) -> Generics {
        let types = self.key.arguments.iter().map(|argument| &argument.ty);
        let (receiver, cache, key) = (&self.function.receiver, self.cache, &self.key.expression);
        let parameters = &self.key.parameters;
        needed(
            &self.function.item.sig.generics,
            quote!(#receiver, #(#types,)* #(#parameters,)* #cache, #key, #besides),
        )
    }

    /// The output of a future, in the way of the function.
    pub(crate) fn waited_for(&self, future: &TokenStream) -> TokenStream {
        let larder = &self.larder;
        if self.function.is_async() {
            quote!(#future.await)
        } else {
            quote!(#larder::__private::block_on(#future))
        }
    }
}
