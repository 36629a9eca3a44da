//! What the attribute stands on.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ItemFn, Pat, PatIdent, PatType, PathArguments, Receiver, Result,
    Type, ext::IdentExt, spanned::Spanned,
};

use crate::output::{self, ungrouped};

pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) receiver: Option<Receiver>,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Type,
    /// It stands in an `impl` block.
    pub(crate) is_associated: bool,
    /// It stands in the `impl` block of a trait, and what is beside it in one of the type's own.
    pub(crate) is_of_trait: bool,
    /// It was read with the block that it stands in.
    pub(crate) is_in_sight: bool,
}

#[derive(Clone)]
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

impl Argument {
    /// Numbers, `bool`, `char` and references: what a closure gets by value.
    pub(crate) fn is_plain(&self) -> bool {
        const PLAIN: [&str; 16] = [
            "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64",
            "bool", "char",
        ];
        match ungrouped(&self.ty) {
            Type::Reference(reference) => reference.mutability.is_none(),
            Type::Path(path) => path
                .path
                .get_ident()
                .is_some_and(|name| PLAIN.iter().any(|plain| name == plain)),
            _ => false,
        }
    }
}

impl Function {
    pub(crate) fn read(item: ItemFn, is_associated: bool) -> Result<Self> {
        let signature = &item.sig;
        let refuse = |span: Span, message: &str| Err(Error::new(span, message));
        if let Some(token) = &signature.constness {
            return refuse(
                token.span(),
                "a `const fn` can not be cached: what it calls is not const",
            );
        }
        if let Some(token) = &signature.unsafety {
            return refuse(
                token.span(),
                "an `unsafe fn` can not be cached; cache a safe function that calls it",
            );
        }
        if let Some(abi) = &signature.abi {
            return refuse(
                abi.span(),
                "an `extern fn` can not be cached; cache a function that calls it",
            );
        }
        let output = output::read(&signature.output, signature.asyncness.is_some(), signature.ident.span())?;
        let mut receiver = None;
        let mut arguments = Vec::new();
        for input in &signature.inputs {
            if let Some(cfg) = cfg(input) {
                return refuse(
                    cfg.span(),
                    "an argument can not come and go: write the function twice, each with a `#[cfg(..)]` of its own",
                );
            }
            match input {
                FnArg::Receiver(given) => {
                    check_receiver(given)?;
                    receiver = Some(given.clone());
                }
                FnArg::Typed(typed) => match &*typed.pat {
                    Pat::Ident(PatIdent {
                        ident,
                        by_ref: None,
                        subpat: None,
                        ..
                    }) => arguments.push(Argument {
                        name: ident.clone(),
                        ty: ungrouped(&typed.ty).clone(),
                    }),
                    other => {
                        return refuse(other.span(), "give this argument a name and take it apart in the body");
                    }
                },
            }
        }
        let mentions_self = names(signature.to_token_stream()).any(|name| name == "Self");
        Ok(Self {
            is_associated: is_associated || receiver.is_some() || mentions_self,
            is_of_trait: false,
            is_in_sight: false,
            receiver,
            arguments,
            output,
            item,
        })
    }

    /// One that was read with its block.
    pub(crate) fn in_block(item: ItemFn, is_of_trait: bool) -> Result<Self> {
        let function = Self::read(item, true)?;
        Ok(Self {
            is_of_trait,
            is_in_sight: true,
            ..function
        })
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.item.sig.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    /// The argument of a name, however it is written.
    pub(crate) fn argument(&self, name: &Ident) -> Option<&Argument> {
        self.arguments
            .iter()
            .find(|argument| argument.name.unraw() == name.unraw())
    }

    /// The name of something beside the function.
    pub(crate) fn beside(&self, what: &str) -> Ident {
        let name = match (self.is_associated, what.strip_prefix("__")) {
            (false, _) => Ident::new(what, Span::call_site()),
            (true, Some(hidden)) => format_ident!("__{}_{}", self.name(), hidden),
            (true, None) => format_ident!("{}_{}", self.name(), what),
        };
        self.as_written(&name)
    }

    /// The name of what makes the key of references.
    ///
    /// In a trait's `impl` block the compiler knows nothing of what stands beside the function, and says so of each by
    /// its name. The first says what to do.
    pub(crate) fn beside_for_key(&self) -> Ident {
        if self.is_associated && !self.is_in_sight {
            self.beside("__in_an_impl_of_a_trait_write_cached_above_the_impl_too")
        } else {
            self.beside("__key")
        }
    }

    /// A name at its place, as something that the attribute has written.
    pub(crate) fn as_written(&self, name: &Ident) -> Ident {
        let mut name = name.clone();
        name.set_span(self.name().span().resolved_at(Span::call_site()));
        name
    }

    /// What the function returns: the value that the cache holds, and the error that it never does.
    pub(crate) fn value_and_error(&self) -> (&Type, Option<&Type>) {
        if let Type::Path(path) = &self.output
            && let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result")
            && let PathArguments::AngleBracketed(arguments) = &last.arguments
            && let [GenericArgument::Type(value), GenericArgument::Type(error)] =
                arguments.args.iter().collect::<Vec<_>>().as_slice()
        {
            return (value, Some(error));
        }
        (&self.output, None)
    }

    /// The attributes that every part needs.
    pub(crate) fn cfgs(&self) -> Vec<&Attribute> {
        self.item
            .attrs
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"))
            .collect()
    }

    /// Those `cfg`s where each part stands by itself in the user's `impl` block.
    pub(crate) fn cfgs_in_impl(&self) -> Vec<&Attribute> {
        if self.is_associated { self.cfgs() } else { Vec::new() }
    }

    /// Those that say something of the body.
    pub(crate) fn lints(&self) -> Vec<&Attribute> {
        self.item.attrs.iter().filter(|attribute| is_lint(attribute)).collect()
    }
}

/// Tells whether an attribute sets the level of a lint.
pub(crate) fn is_lint(attribute: &Attribute) -> bool {
    ["allow", "expect", "warn", "deny", "forbid"]
        .iter()
        .any(|name| attribute.path().is_ident(name))
}

/// What could leave out an argument: the expansion names it in places where nothing can be left out.
fn cfg(input: &FnArg) -> Option<&Attribute> {
    let (FnArg::Receiver(Receiver { attrs, .. }) | FnArg::Typed(PatType { attrs, .. })) = input;
    attrs.iter().find(|attribute| {
        let is_conditional = attribute.path().is_ident("cfg_attr");
        attribute.path().is_ident("cfg")
            || (is_conditional && names(attribute.meta.to_token_stream()).any(|name| name == "cfg"))
    })
}

fn check_receiver(receiver: &Receiver) -> Result<()> {
    let is_shared_reference = match ungrouped(&receiver.ty) {
        Type::Reference(reference) => reference.mutability.is_none(),
        _ => false,
    };
    if is_shared_reference {
        return Ok(());
    }
    Err(Error::new(
        receiver.span(),
        "a cached method takes `&self`: on a hit its body does not run, so it can neither use up nor change `self`",
    ))
}

/// Every name in `tokens`, those in groups too.
pub(crate) fn names(tokens: TokenStream) -> Box<dyn Iterator<Item = Ident>> {
    Box::new(tokens.into_iter().flat_map(|token| match token {
        TokenTree::Ident(name) => Box::new(std::iter::once(name)) as Box<dyn Iterator<Item = Ident>>,
        TokenTree::Group(group) => names(group.stream()),
        _ => Box::new(std::iter::empty()),
    }))
}
