//! Closures among the options.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Error, Expr, ExprClosure, Pat, Result, ReturnType, ext::IdentExt, spanned::Spanned};

use crate::function::{Argument, Function};

/// How many arguments closures of the options may have, and which.
pub(crate) struct Given<'a> {
    pub(crate) function: &'a Function,
    /// Every argument that is not skipped.
    pub(crate) all: Vec<&'a Argument>,
    /// Those that only say where the cache is left out.
    pub(crate) keyed: Vec<&'a Argument>,
}

impl<'a> Given<'a> {
    /// The arguments that `closure` takes, and whether it takes the result after them.
    ///
    /// With a result there is one list that it can follow, so that a count means one thing.
    pub(crate) fn of(
        &self,
        closure: &ExprClosure,
        what: &str,
        may_take_result: bool,
    ) -> Result<(&[&'a Argument], bool)> {
        let count = closure.inputs.len();
        let may_take_all = !may_take_result && count == self.all.len();
        let taken = if may_take_all && count != self.keyed.len() {
            &self.all
        } else {
            &self.keyed
        };
        if count == taken.len() || (may_take_result && count == taken.len() + 1) {
            self.check_names(closure, what, taken)?;
            return Ok((taken, count > taken.len()));
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
            format!(
                "{what}: the closure takes every argument that is neither skipped nor named in `cache` ({names}){result}; \
                 it sees the others by their names"
            ),
        ))
    }

    /// Refuses a parameter with the name of an argument that it can not be.
    fn check_names(&self, closure: &ExprClosure, what: &str, taken: &[&Argument]) -> Result<()> {
        for (at, parameter) in closure.inputs.iter().enumerate() {
            let Pat::Ident(parameter) = untyped(parameter) else {
                continue;
            };
            let name = parameter.ident.unraw().to_string();
            let named = |argument: &&Argument| {
                let argument = argument.name.unraw();
                argument == name || argument == name.trim_start_matches('_')
            };
            let Some(argument) = self.function.arguments.iter().find(named) else {
                continue;
            };
            let argument_name = &argument.name;
            let message = match taken.get(at) {
                Some(_) if taken.iter().any(|taken| taken.name == argument.name) => continue,
                Some(taken) => format!(
                    "{what}: `{}` stands for `{}` here; leave it out, since the closure sees `{argument_name}` without \
                     taking it",
                    parameter.ident, taken.name
                ),
                None => format!(
                    "{what}: this parameter stands for the result, and not for the argument `{argument_name}`; the closure \
                     takes every argument that is neither skipped nor named in `cache`, and the result after them"
                ),
            };
            return Err(Error::new(parameter.ident.span(), message));
        }
        Ok(())
    }
}

/// The body of `closure` with its parameters bound to `values`: called in place, it needs no types.
pub(crate) fn inlined(closure: &ExprClosure, values: &[TokenStream], larder: &TokenStream) -> TokenStream {
    let patterns = closure.inputs.iter().map(untyped);
    let types = closure.inputs.iter().map(|pattern| {
        if let Pat::Type(typed) = pattern {
            typed.ty.to_token_stream()
        } else {
            quote!(_)
        }
    });
    // All at once: a parameter may have the name of the argument that the next one stands for.
    let binding = (!values.is_empty()).then(|| quote!(let (#(#patterns,)*): (#(#types,)*) = (#(#values,)*);));
    let body = match &*closure.body {
        // Its braces would be told to be too many.
        Expr::Block(block) if block.label.is_none() && block.attrs.is_empty() => {
            let statements = &block.block.stmts;
            quote!(#(#statements)*)
        }
        other => other.to_token_stream(),
    };
    let bound = quote!({ #binding #body });
    match &closure.output {
        ReturnType::Type(..) => {
            let output = &closure.output;
            quote!(#larder::__private::now(|| #output #bound))
        }
        ReturnType::Default if leaves(&closure.body) => quote!(#larder::__private::now(|| #bound)),
        ReturnType::Default => bound,
    }
}

/// The pattern of a parameter without its type.
pub(crate) fn untyped(pattern: &Pat) -> &Pat {
    match pattern {
        Pat::Type(typed) => &typed.pat,
        other => other,
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
