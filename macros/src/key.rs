//! The key: what makes it, and which arguments it needs.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Expr, ExprPath, Ident, Pat, Result, ext::IdentExt, spanned::Spanned};

use crate::{
    closure::{Given, inlined, value_of_reference},
    function::{Argument, Function, names},
    options::{Options, text},
    template::Template,
};

pub(crate) struct Key<'a> {
    /// An expression over references to the arguments.
    pub(crate) expression: TokenStream,
    pub(crate) given: Given<'a>,
    /// The arguments that the key or the cache needs.
    pub(crate) arguments: Vec<&'a Argument>,
}

impl<'a> Key<'a> {
    pub(crate) fn read(function: &'a Function, options: &Options, cache: &Expr) -> Result<Self> {
        check_skipped(function, &options.skip)?;
        let is_skipped = |argument: &&Argument| options.skip.iter().any(|name| name.unraw() == argument.name.unraw());
        let of_cache: Vec<Ident> = names(cache.to_token_stream()).collect();
        let is_of_cache = |argument: &&Argument| of_cache.contains(&argument.name);
        let all: Vec<&Argument> = function
            .arguments
            .iter()
            .filter(|argument| !is_skipped(argument))
            .collect();
        let keyed = all.iter().copied().filter(|argument| !is_of_cache(argument)).collect();
        let given = Given { all, keyed };

        let Some(key) = &options.key else {
            return Err(Error::new(
                function.name().span(),
                format!("`key` is missing; write key = \"{}\"", suggestion(function, &given)),
            ));
        };
        let (expression, used) = made(key, function, options, &given)?;
        let forgotten = given.keyed.iter().find(|argument| !used.has(argument));
        if let Some(forgotten) = forgotten {
            let name = &forgotten.name;
            return Err(Error::new(
                name.span(),
                format!(
                    "`{name}` is not part of the key, so calls that differ in it would share a value; add {{{name}}} to \
                         the key, or say skip({name}) where it makes no difference"
                ),
            ));
        }
        let is_told_apart = used.has_self
            || of_cache.iter().any(|name| name == "self")
            || options.skip.iter().any(|name| name == "self");
        if let Some(receiver) = function.receiver.as_ref().filter(|_| !is_told_apart) {
            return Err(Error::new(
                receiver.self_token.span,
                "`self` is neither part of the key nor the owner of the cache; add a field such as {self.tenant} to the \
                 key, or say skip(self) where it makes no difference",
            ));
        }
        let arguments = function
            .arguments
            .iter()
            .filter(|argument| used.has(argument) || is_of_cache(argument))
            .collect();
        Ok(Self {
            expression,
            given,
            arguments,
        })
    }
}

/// An expression that makes the key, and what it uses.
fn made<'a>(
    key: &Expr,
    function: &'a Function,
    options: &Options,
    given: &Given<'a>,
) -> Result<(TokenStream, Used<'a>)> {
    let larder = options.larder();
    if let Some(literal) = text(key) {
        let template = Template::parse(literal)?;
        let used = used_by(&template, function, &options.skip)?;
        // In a macro the template and `self` may come from different places.
        let receiver = function.receiver.as_ref().map(|receiver| receiver.self_token.span);
        let owner = Ident::new("self", receiver.unwrap_or_else(|| template.literal().span()));
        let variable = |name: &Ident| {
            function
                .argument(name)
                .map_or(&owner, |argument| &argument.name)
                .clone()
        };
        return Ok((template.expression(&larder, variable), used));
    }
    match key {
        Expr::Closure(closure) => {
            let (taken, _) = given.of(closure, "key", false)?;
            if let Some(unused) = closure.inputs.iter().find(|pattern| matches!(pattern, Pat::Wild(_))) {
                let message = "key: an argument that is not part of the key is listed in `skip(..)`";
                return Err(Error::new(unused.span(), message));
            }
            let values: Vec<_> = taken.iter().map(|argument| value_of_reference(argument)).collect();
            let made = inlined(closure, &values, &larder);
            let used = Used {
                arguments: taken.to_vec(),
                has_self: names(key.to_token_stream()).any(|name| name == "self"),
            };
            Ok((quote!(#larder::__private::Key::of(#made)), used))
        }
        Expr::Path(ExprPath { path, .. }) => {
            let values = given.keyed.iter().map(|argument| value_of_reference(argument));
            let made = quote!(#path(#(#values),*));
            let used = Used {
                arguments: given.keyed.clone(),
                has_self: false,
            };
            Ok((quote!(#larder::__private::Key::of(#made)), used))
        }
        other => Err(Error::new(
            other.span(),
            "`key` is a template such as \"user:{id}\", a closure of the arguments, or the name of a function of them",
        )),
    }
}

struct Used<'a> {
    arguments: Vec<&'a Argument>,
    has_self: bool,
}

impl Used<'_> {
    fn has(&self, argument: &Argument) -> bool {
        self.arguments.iter().any(|used| used.name == argument.name)
    }
}

fn used_by<'a>(template: &Template, function: &'a Function, skip: &[Ident]) -> Result<Used<'a>> {
    let error = |message: String| Err(Error::new(template.literal().span(), message));
    let mut used = Used {
        arguments: Vec::new(),
        has_self: false,
    };
    for placeholder in template.placeholders() {
        let name = &placeholder.name;
        if name == "self" && function.receiver.is_some() {
            used.has_self = true;
            continue;
        }
        let Some(argument) = function.argument(name) else {
            let known: Vec<String> = function
                .arguments
                .iter()
                .map(|argument| argument.name.to_string())
                .collect();
            return error(format!(
                "key: there is no argument `{name}`; there are: {}",
                known.join(", ")
            ));
        };
        if skip.iter().any(|skipped| skipped.unraw() == name.unraw()) {
            return error(format!(
                "key: `{name}` is part of the key and skipped; leave it out of one of the two"
            ));
        }
        used.arguments.push(argument);
    }
    Ok(used)
}

fn check_skipped(function: &Function, skip: &[Ident]) -> Result<()> {
    let unknown = skip
        .iter()
        .find(|name| function.argument(name).is_none() && !(*name == "self" && function.receiver.is_some()));
    match unknown {
        Some(name) => Err(Error::new(name.span(), format!("skip: there is no argument `{name}`"))),
        None => Ok(()),
    }
}

/// A key with everything in it.
fn suggestion(function: &Function, given: &Given<'_>) -> String {
    let placeholders = given.keyed.iter().map(|argument| format!(":{{{}}}", argument.name));
    std::iter::once(function.name().to_string())
        .chain(placeholders)
        .collect()
}
