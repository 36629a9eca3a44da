//! The attribute above a block, whose functions are marked inside.
//!
//! Only from there can one see whose block it is. In that of a trait there is no room beside a function, so that what
//! would stand there goes into a block of the type's own.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, Error, ImplItem, ImplItemFn, ImplItemType, Item, ItemFn, ItemImpl, ItemTrait, Meta, Path, Result,
    TraitItem, TraitItemFn, Type, TypePath, Visibility, parse_quote, spanned::Spanned,
};

use crate::{
    expand::{Written, written},
    function::{Function, is_lint, names},
    generics,
    output::ungrouped,
};

pub(crate) fn cached(options: &TokenStream, item: TokenStream) -> Result<TokenStream> {
    let error = || {
        let message = "#[cached] stands on a function with a body, or on a block in which such functions have a \
                       #[cached(..)] of their own";
        Error::new(Span::call_site(), message)
    };
    let mut found = Found::default();
    let block = match syn::parse2(item).map_err(|_| error())? {
        Item::Impl(block) if block.trait_.is_some() => of_trait(block, &mut found),
        Item::Impl(block) => inherent(block, &mut found),
        Item::Trait(definition) => defined(definition, &mut found),
        _ => return Err(error()),
    };
    if let Some(option) = options.clone().into_iter().next() {
        let message = "above a block #[cached] takes no options; they stand in the #[cached(..)] of each function";
        found.refuse(Error::new(option.span(), message));
    }
    if found.marked == 0 {
        let message = "no function in here is cached; write a #[cached(..)] above each that is to be";
        found.refuse(Error::new(Span::call_site(), message));
    }
    let refused = found.refused.map(Error::into_compile_error);
    Ok(quote!(#refused #block))
}

/// What was seen while a block was read.
#[derive(Default)]
struct Found {
    marked: usize,
    /// The block stays where it is refused, so that its users are not errors too.
    refused: Option<Error>,
}

impl Found {
    fn refuse(&mut self, error: Error) {
        match &mut self.refused {
            Some(refused) => refused.combine(error),
            None => self.refused = Some(error),
        }
    }

    /// Writes `item` anew; one that is refused stays as it is.
    fn written(&mut self, mark: &Attribute, item: ItemFn, is_of_trait: bool) -> Written {
        let refused = item.to_token_stream();
        let options = match &mark.meta {
            Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        };
        let function = syn::parse2(options).and_then(|options| Ok((Function::in_block(item, is_of_trait)?, options)));
        function
            .and_then(|(function, options)| written(&function, &options))
            .unwrap_or_else(|error| {
                self.refuse(error);
                Written {
                    wrapper: refused,
                    calls: TokenStream::new(),
                    body: TokenStream::new(),
                }
            })
    }
}

fn inherent(mut block: ItemImpl, found: &mut Found) -> TokenStream {
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item
            && let Some(mark) = mark(&mut function.attrs)
        {
            found.marked += 1;
            let Written { wrapper, calls, body } = found.written(&mark, free(function.clone()), false);
            *item = ImplItem::Verbatim(quote!(#wrapper #calls #body));
        }
    }
    block.into_token_stream()
}

fn defined(mut definition: ItemTrait, found: &mut Found) -> TokenStream {
    for item in &mut definition.items {
        let TraitItem::Fn(function) = item else { continue };
        let Some(mark) = mark(&mut function.attrs) else {
            continue;
        };
        found.marked += 1;
        let TraitItemFn {
            attrs, sig, default, ..
        } = function.clone();
        let Some(block) = default else {
            let message = "there is no body here that could be cached; mark the function where it has one, and that \
                           block too";
            found.refuse(Error::new(sig.span(), message));
            continue;
        };
        let given = ItemFn {
            attrs,
            vis: Visibility::Inherited,
            sig,
            block: Box::new(block),
        };
        let Written { wrapper, calls, body } = found.written(&mark, given, false);
        *item = TraitItem::Verbatim(quote!(#wrapper #calls #body));
    }
    definition.into_token_stream()
}

fn of_trait(mut block: ItemImpl, found: &mut Found) -> TokenStream {
    let Some((_, of, _)) = block.trait_.clone() else {
        return block.into_token_stream();
    };
    let mut plain = block.clone();
    for item in &mut plain.items {
        if let ImplItem::Fn(function) = item
            && mark(&mut function.attrs).is_some()
        {
            found.marked += 1;
        }
    }
    if let Err(error) = check_place(&block) {
        found.refuse(error);
        return plain.into_token_stream();
    }
    let types: Vec<(Ident, TokenStream)> = block
        .items
        .iter()
        .filter_map(|item| match item {
            ImplItem::Type(associated) => Some((associated.ident.clone(), spelling(associated, &of))),
            _ => None,
        })
        .collect();
    let mut beside = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(function) = item else { continue };
        let Some(mut mark) = mark(&mut function.attrs) else {
            continue;
        };
        // Outside the trait's block its types go by longer names.
        let named = |tokens| spelled_out(tokens, &types);
        if let Meta::List(list) = &mut mark.meta {
            list.tokens = named(list.tokens.clone());
        }
        let mut given: ItemFn = match syn::parse2(named(free(function.clone()).to_token_stream())) {
            Ok(given) => given,
            Err(error) => {
                found.refuse(error);
                continue;
            }
        };
        // As public as the trait is, whatever that may be.
        given.vis = parse_quote!(pub);
        let Written { wrapper, calls, body } = found.written(&mark, given, true);
        beside.push(quote!(#calls #body));
        *item = ImplItem::Verbatim(wrapper);
    }
    if found.refused.is_some() {
        return plain.into_token_stream();
    }
    // What is expected of the block is met in one of the two, which nobody knows.
    for attribute in &mut block.attrs {
        if let Meta::List(list) = &mut attribute.meta
            && list.path.is_ident("expect")
        {
            list.path = parse_quote!(allow);
        }
    }
    let (generics, ty) = (&block.generics, &block.self_ty);
    let clause = &generics.where_clause;
    let cfgs: Vec<_> = block
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect();
    let lints = block.attrs.iter().filter(|attribute| is_lint(attribute));
    // A trait asks for `self` and for futures whether a body needs them or not.
    let asked = quote!(#[allow(clippy::unused_self, clippy::unused_async)]);
    let beside = quote!(#(#cfgs)* #(#lints)* #asked impl #generics #ty #clause { #(#beside)* });
    if of.segments.len() == 1 {
        return quote!(#block #beside);
    }
    // The bodies may call what else the trait has, which is in scope in its own block alone.
    let mut name = of;
    if let Some(last) = name.segments.last_mut() {
        last.arguments = syn::PathArguments::None;
    }
    quote! {
        #block
        #(#cfgs)*
        const _: () = {
            use #name as _;
            #beside
        };
    }
}

/// Refuses a block that leaves no place for what stands beside a function.
fn check_place(block: &ItemImpl) -> Result<()> {
    let fix = "cache a method of a type of this crate, and call it from the trait's";
    let ty = ungrouped(&block.self_ty);
    let is_parameter = |path: &Path| {
        let name = path.get_ident();
        name.is_some_and(|name| generics::parameters(&block.generics).any(|(parameter, _)| parameter == name))
    };
    let has_place = matches!(ty, Type::Path(path) if !is_parameter(&path.path));
    if !has_place {
        let message = format!("this is no type that could have methods of its own beside the trait's; {fix}");
        return Err(Error::new(ty.span(), message));
    }
    let of_type: Vec<Ident> = names(ty.to_token_stream()).collect();
    match generics::parameters(&block.generics).find(|(parameter, _)| !of_type.contains(parameter)) {
        Some((parameter, _)) => {
            let message = format!(
                "`{parameter}` is a parameter of the trait alone, and the methods beside a cached one are the type's; {fix}"
            );
            Err(Error::new(parameter.span(), message))
        }
        None => Ok(()),
    }
}

/// The `#[cached(..)]` of a function in the block, which is read here and now.
fn mark(attributes: &mut Vec<Attribute>) -> Option<Attribute> {
    let is_mark = |attribute: &Attribute| {
        let last = attribute.path().segments.last();
        last.is_some_and(|last| last.ident == "cached")
    };
    let at = attributes.iter().position(is_mark)?;
    Some(attributes.remove(at))
}

fn free(function: ImplItemFn) -> ItemFn {
    ItemFn {
        attrs: function.attrs,
        vis: function.vis,
        sig: function.sig,
        block: Box::new(function.block),
    }
}

/// What `Self::Item` is called outside the trait's block.
///
/// A struct goes by its own name, by which alone it can be made and taken apart.
fn spelling(associated: &ImplItemType, of: &Path) -> TokenStream {
    let is_struct = |path: &Path| {
        let is_plain = path.segments.iter().all(|segment| segment.arguments.is_none());
        is_plain && path.segments.first().is_some_and(|first| first.ident != "Self")
    };
    match ungrouped(&associated.ty) {
        Type::Path(TypePath { qself: None, path }) if is_struct(path) => path.to_token_stream(),
        _ => {
            let name = &associated.ident;
            quote!(<Self as #of>::#name)
        }
    }
}

/// `Self::Item` in the spelling of each of the trait's `types`.
fn spelled_out(tokens: TokenStream, types: &[(Ident, TokenStream)]) -> TokenStream {
    let mut tokens = tokens.into_iter().collect::<Vec<_>>().into_iter();
    let mut written = TokenStream::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "Self" => match named_type(tokens.as_slice(), types) {
                Some(spelling) => {
                    tokens.nth(2);
                    written.extend(spelling.clone());
                }
                None => written.extend([TokenTree::Ident(name)]),
            },
            TokenTree::Group(group) => {
                let mut spelled = Group::new(group.delimiter(), spelled_out(group.stream(), types));
                spelled.set_span(group.span());
                written.extend([TokenTree::Group(spelled)]);
            }
            other => written.extend([other]),
        }
    }
    written
}

/// The spelling of the type that follows a `Self`, where one does.
fn named_type<'t>(following: &[TokenTree], types: &'t [(Ident, TokenStream)]) -> Option<&'t TokenStream> {
    let is_colon = |token: &TokenTree| matches!(token, TokenTree::Punct(colon) if colon.as_char() == ':');
    match following {
        [one, other, TokenTree::Ident(name), ..] if is_colon(one) && is_colon(other) => types
            .iter()
            .find(|(associated, _)| associated == name)
            .map(|(_, spelling)| spelling),
        _ => None,
    }
}
