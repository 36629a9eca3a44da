//! What stands beside the function: `invalidate`, `refresh`, `peek` and `key`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Generics, Type, spanned::Spanned};

use crate::{expand::quiet, output::is_named_result, parts::Parts};

/// One of them.
struct Companion<'a> {
    name: &'a str,
    doc: &'a str,
    is_async: bool,
    generics: Generics,
    inputs: Vec<TokenStream>,
    output: TokenStream,
    body: TokenStream,
}

pub(crate) fn of(parts: &Parts<'_>) -> TokenStream {
    let function = parts.function;
    let larder = &parts.larder;
    let (cache, made_key, reading) = (parts.cache, parts.made_key(), parts.options.reading());
    let inputs = Parts::inputs(parts.key.arguments.iter().copied());
    let output = &function.output;
    let at_output = Span::mixed_site().located_at(output.span());

    let forget = quote!(#larder::__private::invalidate(&(#cache), &#made_key));
    let invalidate = Companion {
        name: "invalidate",
        doc: "Removes what is cached for these arguments and answers whether there was a value. Once it has returned, no \
              call gets an older value.\n\n# Errors\n\nWhat the cache's backend raises.",
        is_async: function.is_async(),
        generics: parts.generics_of_key(&TokenStream::new()),
        inputs: inputs.clone(),
        output: quote!(#larder::Result<bool>),
        body: parts.waited_for(&forget),
    };

    let kind = quote!((&#larder::__private::Pick::<#output>::new()).larder_kind());
    let look = quote_spanned!(at_output=> #larder::__private::peek(&(#cache), &#made_key, &#reading, #kind));
    let look = parts.waited_for(&look);
    let (peeked, looked) = if is_named_result(output) {
        // The compiler knows what a local alias of that name stands for.
        let value = quote_spanned!(at_output=> <#output as #larder::__private::Returned>::Value);
        (value, look)
    } else {
        // What hides behind another name comes back under that name.
        (quote!(#output), quote!(#larder::__private::named(#look, #kind)))
    };
    let peek = Companion {
        name: "peek",
        doc: "Answers what is cached for these arguments, and does not load it where there is nothing.\n\n# Errors\n\nWhat \
              the cache's backend raises.",
        is_async: function.is_async(),
        generics: parts.generics_of_key(&quote!(#output)),
        inputs: inputs.clone(),
        output: quote!(#larder::Result<::core::option::Option<#peeked>>),
        body: quote! {
            use #larder::__private::{AnyKind as _, ResultKind as _};
            #looked
        },
    };

    let refresh = Companion {
        name: "refresh",
        doc: "Runs the body whatever is cached, stores what it answers, and answers that.",
        is_async: function.is_async(),
        generics: function.item.sig.generics.clone(),
        inputs: Parts::inputs(&function.arguments),
        output: quote!(#output),
        body: parts.called_anew(&quote!(true)),
    };

    let key = Companion {
        name: "key",
        doc: "The key for these arguments, without the cache's prefix.",
        is_async: false,
        generics: parts.generics_of_key(&TokenStream::new()),
        inputs,
        output: quote!(::std::string::String),
        body: made_key,
    };

    let written = [invalidate, refresh, peek, key].map(|companion| companion.written(parts));
    let key_of_references = key_of_references(parts);
    quote!(#(#written)* #key_of_references)
}

impl Companion<'_> {
    fn written(self, parts: &Parts<'_>) -> TokenStream {
        let function = parts.function;
        let Self {
            doc,
            generics,
            inputs,
            output,
            body,
            ..
        } = &self;
        let doc = if function.is_associated {
            format!("Of [`{}`](Self::{}): {doc}", function.name(), function.name())
        } else {
            (*doc).to_owned()
        };
        let name = function.beside(self.name);
        let vis = &function.item.vis;
        let receiver = parts.receiver_input();
        let asyncness = self.is_async.then(|| quote!(async));
        let clause = &generics.where_clause;
        let (quiet, cfgs) = (quiet(function), function.cfgs_in_impl());
        quote! {
            #(#cfgs)*
            #[doc = #doc]
            #quiet
            #vis #asyncness fn #name #generics(#receiver #(#inputs),*) -> #output #clause { #body }
        }
    }
}

/// The key of arguments that are still needed.
fn key_of_references(parts: &Parts<'_>) -> TokenStream {
    let function = parts.function;
    let name = function.beside("__key");
    let receiver = parts.receiver_input();
    let inputs = parts.key.arguments.iter().map(|argument| {
        let (name, ty) = (&argument.name, &argument.ty);
        // A reference to more than one bound needs the parentheses.
        let is_opaque = matches!(ty, Type::ImplTrait(opaque) if opaque.bounds.len() > 1);
        let ty = if is_opaque { quote!((#ty)) } else { quote!(#ty) };
        quote!(#name: &#ty)
    });
    // The cache may need arguments that the key does without.
    let names = parts.key.arguments.iter().map(|argument| &argument.name);
    let generics = parts.generics_of_key(&TokenStream::new());
    let clause = &generics.where_clause;
    let expression = &parts.key.expression;
    let (quiet, cfgs) = (quiet(function), function.cfgs_in_impl());
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #quiet
        fn #name #generics(#receiver #(#inputs),*) -> ::std::string::String #clause {
            #(let _ = #names;)*
            #expression
        }
    }
}
