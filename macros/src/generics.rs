//! The generics that a part of a function needs.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{GenericParam, Generics, Ident, WherePredicate};

use crate::function::names;

/// The parameters of `generics` that `used` mentions, those that their bounds mention, and what is said of them.
pub(crate) fn needed(generics: &Generics, used: TokenStream) -> Generics {
    let mut used: HashSet<Ident> = names(used).collect();
    loop {
        let before = used.len();
        for param in &generics.params {
            if used.contains(name(param)) {
                used.extend(names(param.to_token_stream()));
            }
        }
        if used.len() == before {
            break;
        }
    }
    let mut needed = generics.clone();
    needed.params = generics
        .params
        .iter()
        .filter(|param| used.contains(name(param)))
        .cloned()
        .collect();
    let left_out: HashSet<&Ident> = generics
        .params
        .iter()
        .map(name)
        .filter(|name| !used.contains(*name))
        .collect();
    if let Some(clause) = &mut needed.where_clause {
        let is_needed =
            |predicate: &WherePredicate| names(predicate.to_token_stream()).all(|name| !left_out.contains(&name));
        clause.predicates = clause
            .predicates
            .iter()
            .filter(|predicate| is_needed(predicate))
            .cloned()
            .collect();
    }
    needed
}

/// The type and const parameters, to be named where they can not be inferred.
pub(crate) fn turbofish(generics: &Generics) -> Option<TokenStream> {
    let named: Vec<&Ident> = generics
        .params
        .iter()
        .filter(|param| !matches!(param, GenericParam::Lifetime(_)))
        .map(name)
        .collect();
    (!named.is_empty()).then(|| quote!(::<#(#named),*>))
}

/// The type and const parameters, and which are const.
pub(crate) fn parameters(generics: &Generics) -> impl Iterator<Item = (&Ident, bool)> {
    generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some((&param.ident, false)),
        GenericParam::Const(param) => Some((&param.ident, true)),
        GenericParam::Lifetime(_) => None,
    })
}

fn name(param: &GenericParam) -> &Ident {
    match param {
        GenericParam::Type(param) => &param.ident,
        GenericParam::Const(param) => &param.ident,
        GenericParam::Lifetime(param) => &param.lifetime.ident,
    }
}
