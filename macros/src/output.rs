//! What the function returns.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{
    Error, GenericArgument, Lifetime, PathArguments, PathSegment, Result, ReturnType, Type, TypeReference,
    spanned::Spanned,
};

use crate::function::names;

/// The type that a function returns, where values of it can be cached.
pub(crate) fn read(output: &ReturnType, is_async: bool, function: Span) -> Result<Type> {
    let ReturnType::Type(_, output) = output else {
        return Err(Error::new(
            function,
            "this function returns nothing that could be cached",
        ));
    };
    let output = ungrouped(output);
    let message = match output {
        Type::ImplTrait(opaque) => {
            let is_future = names(opaque.to_token_stream()).any(|name| name == "Future");
            if is_future && !is_async {
                "write `async fn` in the place of `-> impl Future`: the value is cached, not the future"
            } else {
                "a cached value is decoded, which needs a type with a name; return that type in the place of `impl ..`"
            }
        }
        Type::Path(path)
            if path.path.segments.last().is_some_and(|last| last.ident == "BoxFuture")
                || (path.path.segments.last().is_some_and(|last| last.ident == "Pin")
                    && names(path.to_token_stream()).any(|name| name == "Future")) =>
        {
            "write `async fn` in the place of a boxed future: the value is cached, not the future"
        }
        Type::Tuple(tuple) if tuple.elems.is_empty() => "this function returns nothing that could be cached",
        _ => {
            check_borrows(output)?;
            return Ok(output.clone());
        }
    };
    Err(Error::new(output.span(), message))
}

/// The type itself: what a macro was given as a `ty` comes in a group without delimiters.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    while let Type::Group(group) = ty {
        ty = &group.elem;
    }
    ty
}

/// The last segment of a path to something that is called `Result` and has arguments; an alias may be called so too.
pub(crate) fn result(output: &Type) -> Option<&PathSegment> {
    let Type::Path(path) = output else {
        return None;
    };
    let last = path.path.segments.last()?;
    (last.ident == "Result" && matches!(last.arguments, PathArguments::AngleBracketed(_))).then_some(last)
}

/// Refuses references: nobody keeps what a decoded value would borrow, nor an error for those that share it.
fn check_borrows(output: &Type) -> Result<()> {
    let is_static = |lifetime: &Option<Lifetime>| lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
    let (values, errors) = match result(output) {
        Some(segment) => {
            let mut types = inner(segment);
            (types.next(), types.collect())
        }
        None => (Some(output), Vec::new()),
    };
    let of_value = values.and_then(|ty| reference(ty, &|_| true));
    let of_error = errors
        .into_iter()
        .find_map(|ty| reference(ty, &|reference| !is_static(&reference.lifetime)));
    let (reference, message) = match (of_value, of_error) {
        (Some(reference), _) => (
            reference,
            "a cached value is decoded and owned; return an owned type, such as `String` for `&str`",
        ),
        (None, Some(reference)) => (
            reference,
            "the error goes to every call that shared the body, and can not borrow; return an owned type, such as \
             `String` for `&str`",
        ),
        (None, None) => return Ok(()),
    };
    Err(Error::new(reference.span(), message))
}

/// The first reference in a type of which `is_meant` holds.
fn reference<'t>(ty: &'t Type, is_meant: &dyn Fn(&TypeReference) -> bool) -> Option<&'t TypeReference> {
    match ty {
        Type::Reference(found) if is_meant(found) => Some(found),
        Type::Reference(found) => reference(&found.elem, is_meant),
        Type::Path(path) => {
            // A marker holds nothing.
            let segments = path
                .path
                .segments
                .iter()
                .filter(|segment| segment.ident != "PhantomData");
            segments.flat_map(inner).find_map(|ty| reference(ty, is_meant))
        }
        Type::Tuple(tuple) => tuple.elems.iter().find_map(|ty| reference(ty, is_meant)),
        Type::Array(array) => reference(&array.elem, is_meant),
        Type::Slice(slice) => reference(&slice.elem, is_meant),
        Type::Group(group) => reference(&group.elem, is_meant),
        Type::Paren(paren) => reference(&paren.elem, is_meant),
        _ => None,
    }
}

/// The type arguments of a segment.
pub(crate) fn inner(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter()),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
