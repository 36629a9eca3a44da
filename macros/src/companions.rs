//! What stands beside the function: `invalidate`, `refresh`, `peek` and `key`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Generics, Type, spanned::Spanned};

use crate::{expand::quiet, output, parts::Parts};

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
    let (peeked, looked) = match output::result(output) {
        // Said as it is written; an alias that hides more is told so.
        Some(written) if let [value, _] = *output::inner(written).collect::<Vec<_>>() => {
            let looked = quote_spanned!(at_output=> #larder::__private::holding::<#output, #value>(#look));
            (value.to_token_stream(), looked)
        }
        // The compiler knows what a local alias of that name stands for.
        Some(_) => (quote_spanned!(at_output=> #larder::__private::ValueOf<#output>), look),
        // What hides behind another name comes back under that name.
        None => (quote!(#output), quote!(#larder::__private::named(#look, #kind))),
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
    quote!(#key_of_references #(#written)*)
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
    let name = function.beside_for_key();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expand::cached;

    fn peeked(returned: &TokenStream) -> String {
        let options = quote!(cache = CACHE, key = "{id}", ttl = "1h");
        let function = quote!(fn user(id: u64) -> #returned { body() });
        let written = cached(options, function).unwrap().to_string().replace(' ', "");
        let (_, rest) = written.split_once("fnpeek(id:u64)->").expect("a peek");
        rest.split_once('{').expect("a body").0.to_owned()
    }

    #[test]
    fn the_signature_of_peek_says_what_the_function_says() {
        let optional = |value: &str| format!("::larder::Result<::core::option::Option<{value}>>");
        assert_eq!(peeked(&quote!(u64)), optional("u64"));
        assert_eq!(peeked(&quote!(Option<u64>)), optional("Option<u64>"));
        assert_eq!(peeked(&quote!(Result<u64, DbError>)), optional("u64"));
        assert_eq!(
            peeked(&quote!(std::result::Result<Option<User>, DbError>)),
            optional("Option<User>")
        );
        assert_eq!(
            peeked(&quote!(anyhow::Result<u64>)),
            optional("::larder::__private::ValueOf<anyhow::Result<u64>>")
        );
        assert_eq!(peeked(&quote!(Found<u64>)), optional("Found<u64>"));
    }
}
