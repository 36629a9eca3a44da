//! What a body needs that can outlive its call.

use syn::{Error, GenericArgument, PathArguments, Result, Type};

use crate::{function::Function, options::Options};

/// Refuses what can neither run behind its caller nor be cut short.
pub(crate) fn check(function: &Function, options: &Options) -> Result<()> {
    if !function.is_async()
        && let Some(option) = options.detaches.as_ref().or(options.hard_timeout.as_ref())
    {
        let message =
            format!("`{option}` needs an `async fn`: the body of a plain function holds its thread to the end");
        return Err(Error::new(option.span(), message));
    }
    let Some(option) = &options.detaches else {
        return Ok(());
    };
    if let Some(receiver) = &function.receiver {
        let message = format!(
            "with `{option}` the body may outlive the call, and can not borrow `self`; take `this: Arc<Self>` in its \
             place"
        );
        return Err(Error::new(receiver.self_token.span, message));
    }
    match function.arguments.iter().find(|argument| is_borrowed(&argument.ty)) {
        Some(argument) => {
            let name = &argument.name;
            let message = format!(
                "with `{option}` the body may outlive the call, and can not borrow `{name}`; take it by value: a \
                 `String` for a `&str`, a clone of the cache, an `Arc` of anything else"
            );
            Err(Error::new(name.span(), message))
        }
        None => Ok(()),
    }
}

/// Tells whether a value of this type borrows, as far as one can see.
fn is_borrowed(ty: &Type) -> bool {
    match ty {
        Type::Reference(reference) => {
            reference
                .lifetime
                .as_ref()
                .is_none_or(|lifetime| lifetime.ident != "static")
                || is_borrowed(&reference.elem)
        }
        Type::Path(path) => path.path.segments.iter().any(|segment| match &segment.arguments {
            PathArguments::AngleBracketed(arguments) => arguments.args.iter().any(|argument| match argument {
                GenericArgument::Lifetime(lifetime) => lifetime.ident != "static",
                GenericArgument::Type(ty) => is_borrowed(ty),
                _ => false,
            }),
            _ => false,
        }),
        Type::Tuple(tuple) => tuple.elems.iter().any(is_borrowed),
        Type::Array(array) => is_borrowed(&array.elem),
        Type::Group(group) => is_borrowed(&group.elem),
        Type::Paren(paren) => is_borrowed(&paren.elem),
        _ => false,
    }
}
