//! The key: what makes it, and which arguments it needs.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, Expr, ExprClosure, Ident, Result, ext::IdentExt, spanned::Spanned};

use crate::{
    closure::{Given, inlined, value_of_reference},
    function::{Argument, Function, names},
    generics,
    options::{Options, text},
    template::Template,
    variables::{Variables, bound_by},
};

pub(crate) struct Key<'a> {
    /// An expression over references to the arguments.
    pub(crate) expression: TokenStream,
    pub(crate) given: Given<'a>,
    /// The arguments that the key or the cache needs.
    pub(crate) arguments: Vec<&'a Argument>,
    /// The type and const parameters that it names.
    pub(crate) parameters: Vec<&'a Ident>,
}

impl<'a> Key<'a> {
    pub(crate) fn read(function: &'a Function, options: &Options, cache: &Expr) -> Result<Self> {
        check_skipped(function, &options.skip)?;
        let is_skipped = |argument: &&Argument| options.skip.iter().any(|name| name.unraw() == argument.name.unraw());
        let of_cache = Variables::of(cache);
        let is_of_cache = |argument: &&Argument| of_cache.take(&argument.name);
        let all: Vec<&Argument> = function
            .arguments
            .iter()
            .filter(|argument| !is_skipped(argument))
            .collect();
        let keyed = all.iter().copied().filter(|argument| !is_of_cache(argument)).collect();
        let given = Given { function, all, keyed };

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
        check_parameters(function, &options.skip, &used)?;
        let is_told_apart = used.has_self || of_cache.has_self() || options.skip.iter().any(|name| name == "self");
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
            parameters: used.parameters,
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
        let variable = |name: &Ident| match function.argument(name) {
            Some(argument) => argument.name.clone(),
            None if name == "self" => owner.clone(),
            None => name.clone(),
        };
        return Ok((template.expression(&larder, variable), used));
    }
    match key {
        Expr::Closure(closure) => {
            let (taken, _) = given.of(closure, "key", false)?;
            check_used(closure, taken)?;
            let values: Vec<_> = taken.iter().map(|argument| value_of_reference(argument)).collect();
            let made = inlined(closure, &values, &larder);
            let variables = Variables::of_closure(closure);
            let used = Used {
                arguments: taken.iter().copied().chain(variables.arguments(function)).collect(),
                has_self: variables.has_self(),
                parameters: parameters_of(function, key, &variables),
            };
            Ok((quote!(#larder::__private::Key::of(#made)), used))
        }
        Expr::Path(path) => {
            let values = given.keyed.iter().map(|argument| value_of_reference(argument));
            let made = quote!(#path(#(#values),*));
            let used = Used {
                arguments: given.keyed.clone(),
                has_self: false,
                parameters: parameters_of(function, key, &Variables::default()),
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
    parameters: Vec<&'a Ident>,
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
        parameters: Vec::new(),
    };
    for placeholder in template.placeholders() {
        let name = &placeholder.name;
        if name == "self" && function.receiver.is_some() {
            used.has_self = true;
            continue;
        }
        let is_skipped = skip.iter().any(|skipped| skipped.unraw() == name.unraw());
        let argument = function.argument(name);
        let parameter = generics::parameters(&function.item.sig.generics).find(|(parameter, _)| *parameter == name);
        if argument.is_none()
            && let Some((parameter, is_const)) = parameter
            && !is_skipped
        {
            if !is_const {
                return error(format!(
                    "key: {{{name}}} is a type, which has no text; give `key` a closure that uses it, or say skip({name}) \
                     where it makes no difference"
                ));
            }
            used.parameters.push(parameter);
            continue;
        }
        if is_skipped {
            return error(format!(
                "key: `{name}` is part of the key and skipped; leave it out of one of the two"
            ));
        }
        let Some(argument) = argument else {
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
        used.arguments.push(argument);
    }
    Ok(used)
}

fn check_skipped(function: &Function, skip: &[Ident]) -> Result<()> {
    let is_parameter =
        |name: &Ident| generics::parameters(&function.item.sig.generics).any(|(parameter, _)| parameter == name);
    let unknown = skip.iter().find(|name| {
        function.argument(name).is_none() && !is_parameter(name) && !(*name == "self" && function.receiver.is_some())
    });
    match unknown {
        Some(name) => Err(Error::new(name.span(), format!("skip: there is no argument `{name}`"))),
        None => Ok(()),
    }
}

/// Refuses a closure that takes an argument and leaves it out of the key.
fn check_used(closure: &ExprClosure, taken: &[&Argument]) -> Result<()> {
    let variables = Variables::of(&closure.body);
    let is_used = |name: &Ident| variables.name(name);
    for (pattern, argument) in closure.inputs.iter().zip(taken) {
        if !bound_by(pattern).iter().any(is_used) {
            let name = &argument.name;
            let message = format!(
                "key: the closure takes `{name}` and does not use it, so calls that differ in it would share a value; use \
                 it, or say skip({name}) where it makes no difference"
            );
            return Err(Error::new(pattern.span(), message));
        }
    }
    Ok(())
}

/// The type and const parameters that the closure or the path `key` names.
fn parameters_of<'a>(function: &'a Function, key: &Expr, variables: &Variables) -> Vec<&'a Ident> {
    let named: Vec<Ident> = names(key.to_token_stream()).collect();
    generics::parameters(&function.item.sig.generics)
        .map(|(name, _)| name)
        .filter(|name| named.contains(name) || variables.take(name))
        .collect()
}

/// Refuses a type or const parameter that makes a difference which no argument in the key tells.
fn check_parameters(function: &Function, skip: &[Ident], used: &Used<'_>) -> Result<()> {
    let mentions = |tokens: TokenStream, name: &Ident| names(tokens).any(|mentioned| mentioned == *name);
    for (name, is_const) in generics::parameters(&function.item.sig.generics) {
        // An argument outside the key is skipped or the cache's, and its type is too.
        let is_told = function
            .arguments
            .iter()
            .any(|argument| mentions(argument.ty.to_token_stream(), name));
        let (value, error) = function.value_and_error();
        let is_of_value = mentions(value.to_token_stream(), name);
        let is_of_error = mentions(error.to_token_stream(), name);
        if skip.contains(name) || used.parameters.contains(&name) || (!is_of_value && (is_told || is_of_error)) {
            continue;
        }
        let fix = if is_const {
            format!("add {{{name}}} to the key")
        } else {
            "let the key be a closure that uses it".to_owned()
        };
        return Err(Error::new(
            name.span(),
            format!(
                "`{name}` is not part of the key, so calls that differ in it would share a value; {fix}, or say \
                 skip({name}) where it makes no difference"
            ),
        ));
    }
    Ok(())
}

/// A key with everything in it.
fn suggestion(function: &Function, given: &Given<'_>) -> String {
    let placeholders = given.keyed.iter().map(|argument| format!(":{{{}}}", argument.name));
    std::iter::once(function.name().to_string())
        .chain(placeholders)
        .collect()
}
