//! Closures among the options.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Error, Expr, ExprClosure, Result, spanned::Spanned};

use crate::function::Argument;

/// How many arguments closures of the options may have, and which.
pub(crate) struct Given<'a> {
    /// Every argument that is not skipped.
    pub(crate) all: Vec<&'a Argument>,
    /// Those that only say where the cache is left out.
    pub(crate) keyed: Vec<&'a Argument>,
}

impl<'a> Given<'a> {
    /// The arguments that `closure` takes, and whether it takes the result after them.
    pub(crate) fn of(
        &self,
        closure: &ExprClosure,
        what: &str,
        may_take_result: bool,
    ) -> Result<(&[&'a Argument], bool)> {
        let count = closure.inputs.len();
        for given in [&self.keyed, &self.all] {
            if count == given.len() || (may_take_result && count == given.len() + 1) {
                return Ok((given, count > given.len()));
            }
        }
        let names: Vec<String> = self.keyed.iter().map(|argument| argument.name.to_string()).collect();
        let names = names.join(", ");
        let result = if may_take_result {
            ", and the result after them if it wants to"
        } else {
            ""
        };
        Err(Error::new(
            closure.span(),
            format!("{what}: the closure takes every argument that is not skipped ({names}){result}"),
        ))
    }
}

/// The body of `closure` with its parameters bound to `values`: called in place, it needs no types.
pub(crate) fn inlined(closure: &ExprClosure, values: &[TokenStream], larder: &TokenStream) -> TokenStream {
    let patterns = &closure.inputs;
    let patterns = patterns.iter();
    let body = &closure.body;
    let bound = quote!({ #(let #patterns = #values;)* #body });
    if leaves(body) {
        quote!(#larder::__private::now(|| #bound))
    } else {
        bound
    }
}

/// Tells whether `return` or `?` would leave the function that the body is written into.
fn leaves(body: &Expr) -> bool {
    fn any(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(name) => name == "return",
            TokenTree::Punct(punct) => punct.as_char() == '?',
            TokenTree::Group(group) => any(group.stream()),
            TokenTree::Literal(_) => false,
        })
    }
    any(body.to_token_stream())
}

/// What a closure gets for an argument that the function has by value.
pub(crate) fn value_of(argument: &Argument) -> TokenStream {
    let name = &argument.name;
    if argument.is_plain() {
        quote!(#name)
    } else {
        quote!(&#name)
    }
}

/// What a closure gets for an argument that is there by reference.
pub(crate) fn value_of_reference(argument: &Argument) -> TokenStream {
    let name = &argument.name;
    if argument.is_plain() {
        quote!(*#name)
    } else {
        quote!(#name)
    }
}
