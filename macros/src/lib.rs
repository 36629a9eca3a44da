//! The `#[cached]` attribute of [larder](https://docs.rs/larder), which re-exports and documents it.
//!
//! `options` reads what stands in the attribute, `template` the key, `variables` what an expression names, `function`
//! what the attribute stands on, `block` the block around it where the attribute stands there too; `expand` writes the
//! function anew and `companions` what stands beside it. What the compiler can say better, because it knows types, is left to it: the expansion calls `larder::__private`.

mod block;
mod closure;
mod companions;
mod expand;
mod function;
mod generics;
mod key;
mod options;
mod output;
mod owned;
mod parts;
mod template;
mod variables;

use proc_macro::TokenStream;

/// Caches what a function returns. See `larder::cached`.
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    // Where it is refused the function stays, so that its callers are not errors too.
    let refused = item.clone();
    expand::cached(options.into(), item.into()).map_or_else(
        |error| TokenStream::from_iter([error.into_compile_error().into(), refused]),
        TokenStream::from,
    )
}
