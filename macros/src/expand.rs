//! The function anew: a hit answers, a miss runs its body.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Error, Expr, FnArg, Ident, ItemFn, Meta, Pat, PatIdent, Result, parse_quote, spanned::Spanned};

use crate::{
    block,
    closure::{inlined, untyped, value_of},
    companions,
    function::{Argument, Function, names},
    generics::turbofish,
    key::Key,
    options::{OnError, Options, checked, constant},
    owned,
    parts::Parts,
    variables::Variables,
};

pub(crate) fn cached(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    match syn::parse2(item.clone()) {
        Ok(function) => expanded(options, function),
        Err(_) => block::cached(&options, item),
    }
}

/// A function that stands by itself.
fn expanded(options: TokenStream, item: ItemFn) -> Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    let function = Function::read(item, options.is_associated)?;
    let Written { wrapper, calls, body } = written(&function, &options)?;
    if function.is_associated {
        return Ok(quote!(#wrapper #calls #body));
    }
    let (name, cfgs, larder) = (function.name(), function.cfgs(), options.larder());
    let vis = &function.item.vis;
    let quiet = quiet(&function);
    let as_written = function.as_written(name);
    let doc = format!("The calls beside the cached function [`{name}`](fn@{name}).");
    Ok(quote! {
        #wrapper
        #larder::__private::in_an_impl_block_cached_needs_the_word_associated! {
            { #(#cfgs)* #[doc = #doc] #quiet } #vis #as_written
            { #(#cfgs)* #quiet } { #calls }
            { #(#cfgs)* } { #body }
        }
    })
}

/// What becomes of a function.
pub(crate) struct Written {
    pub(crate) wrapper: TokenStream,
    /// What stands beside it.
    pub(crate) calls: TokenStream,
    pub(crate) body: TokenStream,
}

pub(crate) fn written(function: &Function, options: &Options) -> Result<Written> {
    let missing = |what: &str| Error::new(function.name().span(), what);
    let cache = options
        .cache
        .as_ref()
        .ok_or_else(|| missing("`cache` is missing; write cache = CACHE, or any expression that is a cache"))?;
    let ttl = options.ttl.as_ref().ok_or_else(|| {
        missing("`ttl` is missing; write ttl = \"1h\", or ttl = larder::Ttl::DEFAULT for the cache's own")
    })?;
    owned::check(function, options)?;
    let parts = Parts {
        key: Key::read(function, options, cache)?,
        function,
        cache,
        larder: options.larder(),
        options,
    };
    let (companions, call) = (companions::of(&parts), parts.call(ttl)?);
    Ok(Written {
        wrapper: parts.wrapper(),
        calls: quote!(#companions #call),
        body: parts.body(),
    })
}

/// What the compiler would say of the signature, it says of the body's, which is the same.
fn quiet_signature() -> TokenStream {
    quote!(#[allow(
        clippy::fn_params_excessive_bools,
        clippy::needless_pass_by_value,
        clippy::ptr_arg,
        clippy::ref_option,
        clippy::too_many_arguments,
        clippy::trivially_copy_pass_by_ref,
        clippy::type_complexity,
        clippy::unnecessary_wraps,
        clippy::used_underscore_binding
    )])
}

/// Generated code is not the user's to improve.
///
/// No lint of the compiler itself is named: a crate may forbid it, and then may not be told to allow it. Those look
/// past what a macro of another crate has written, where its spans say so.
pub(crate) fn quiet(function: &Function) -> TokenStream {
    let lints = function.lints().into_iter().map(without_expectation);
    quote!(#(#lints)* #[allow(clippy::all, clippy::pedantic)])
}

impl Parts<'_> {
    /// The function as its callers see it.
    fn wrapper(&self) -> TokenStream {
        let item = &self.function.item;
        let attributes = item.attrs.iter().map(without_expectation);
        let vis = (!self.function.is_of_trait).then_some(&item.vis);
        let mut signature = item.sig.clone();
        let (receiver, inputs) = (self.receiver_input(), Self::inputs(&self.function.arguments));
        signature.inputs = parse_quote!(#receiver #(#inputs),*);
        let call = self.called_anew(&quote!(false));
        let quiet = quiet_signature();
        quote! {
            #(#attributes)*
            #quiet
            #vis #signature { #call }
        }
    }

    /// The body under a name of its own, with nothing changed.
    fn body(&self) -> TokenStream {
        let mut body = self.function.item.clone();
        let own = [self.function.cfgs(), self.function.lints()];
        body.attrs = own.into_iter().flatten().cloned().collect();
        body.vis = syn::Visibility::Inherited;
        body.sig.ident = self.function.beside("__load");
        let used = self.used_by_options();
        for input in &body.sig.inputs {
            // The body need not use what the options do.
            if let FnArg::Typed(input) = input
                && let Pat::Ident(PatIdent { ident, .. }) = &*input.pat
                && used.contains(ident)
            {
                body.block.stmts.insert(0, parse_quote!(let _ = &#ident;));
            }
        }
        body.to_token_stream()
    }

    /// The names of the arguments that the key, the cache and the other options use.
    fn used_by_options(&self) -> Vec<Ident> {
        let of_key = self.key.arguments.iter().map(|argument| argument.name.clone());
        let evaluated = [&self.options.ttl, &self.options.bypass];
        of_key
            .chain(evaluated.into_iter().flat_map(|value| names(value.to_token_stream())))
            .collect()
    }

    /// The call: with or without a look at what is cached.
    fn call(&self, ttl: &Expr) -> Result<TokenStream> {
        let Self {
            function,
            larder,
            cache,
            ..
        } = self;
        let local = |name: &str| Ident::new(name, Span::mixed_site());
        let [refresh, source, kind, plan, life] = ["refresh", "source", "kind", "plan", "ttl"].map(local);
        let output = &function.output;
        let at_output = Span::mixed_site().located_at(output.span());

        let options = self.options.loading();
        let is_forced = match &self.options.bypass {
            None => quote!(#refresh),
            Some(bypass) => {
                let bypass = self.evaluated(bypass, "bypass")?;
                quote!(#refresh || #bypass)
            }
        };
        let rules = match self.options.on_error {
            None | Some(OnError::Execute) => quote_spanned!(at_output=> #kind.execute()),
            Some(OnError::Raise) => quote_spanned!(at_output=> #kind.raise()),
            Some(OnError::ReturnNone) => quote_spanned!(at_output=> #kind.return_none()),
        };
        let ttl = self.ttl(ttl, &kind)?;
        let of_key = self.made_key();
        // The body takes the arguments, and the call needs the cache for as long.
        let is_given_away = Variables::of(cache)
            .arguments(function)
            .any(|argument| !argument.is_plain());
        let source_value = if is_given_away {
            quote!(&#larder::__private::hold(&(#cache)))
        } else {
            quote!(&(#cache))
        };
        let (load, turbofish) = (function.beside("__load"), turbofish(&function.item.sig.generics));
        let receiver = self.receiver();
        let arguments = function.arguments.iter().map(|argument| &argument.name);
        let load = quote!(Self::#load #turbofish(#receiver #(#arguments),*));
        let call = if self.options.detaches.is_some() {
            quote_spanned!(at_output=> #larder::__private::call_detached)
        } else {
            quote_spanned!(at_output=> #larder::__private::call)
        };
        let shared = quote_spanned!(at_output=> (&&&#kind).larder_shared());
        let other = if self.options.hard_timeout.is_some() {
            quote_spanned!(at_output=> #kind.timed())
        } else {
            quote!((&&#kind).larder_other())
        };
        let load = if function.is_async() {
            load
        } else {
            quote!(::core::future::ready(#load))
        };
        let called = self.waited_for(&quote!(#call(#source, #plan, #life, move || #load)));

        let title = function.name().to_string();
        let asyncness = &function.item.sig.asyncness;
        let name = function.beside("__call");
        let (generics, clause) = (&function.item.sig.generics, &function.item.sig.generics.where_clause);
        let (reference, inputs) = (self.receiver_input(), Self::inputs(&function.arguments));
        let quiet = quiet(function);
        let cfgs = function.cfgs_in_impl();
        Ok(quote! {
            #(#cfgs)*
            #[doc(hidden)]
            #quiet
            #asyncness fn #name #generics(#reference #refresh: bool, #(#inputs),*) -> #output #clause {
                use #larder::__private::{
                    AnyKind as _, ClonedErrors as _, ConvertedErrors as _, ConvertedOthers as _, NoneOfOption as _,
                    NoneOfOthers as _, ResultKind as _, UnsharedErrors as _, UnsharedOthers as _,
                };
                let #kind = (&#larder::__private::Pick::<#output>::new()).larder_kind();
                let #plan = #larder::__private::Plan {
                    name: #title,
                    key: #of_key,
                    options: #larder::__private::forced(#options, #is_forced),
                    kind: #kind,
                    rules: #rules,
                    shared: #shared,
                    other: #other,
                };
                let #life = #ttl;
                let #source = #source_value;
                #called
            }
        })
    }

    /// What makes the ttl of a call.
    fn ttl(&self, ttl: &Expr, kind: &Ident) -> Result<TokenStream> {
        let larder = &self.larder;
        let Expr::Closure(closure) = ttl else {
            let ttl = match checked(ttl, larder) {
                Some(_) => constant(ttl, larder),
                None => ttl.to_token_stream(),
            };
            return Ok(quote!(#larder::__private::fixed(#ttl)));
        };
        let (taken, takes_result) = self.key.given.of(closure, "ttl", true)?;
        let mut values: Vec<_> = taken.iter().map(|argument| value_of(argument)).collect();
        if !takes_result {
            let ttl = inlined(closure, &values, larder);
            return Ok(quote!(#larder::__private::fixed(#ttl)));
        }
        // The body has taken the arguments by then.
        let mut kept: Vec<&Argument> = Variables::of_closure(closure).arguments(self.function).collect();
        for (value, (argument, pattern)) in values.iter_mut().zip(taken.iter().zip(&closure.inputs)) {
            if matches!(untyped(pattern), Pat::Wild(_)) {
                *value = quote!(());
            } else if kept.iter().all(|kept| kept.name != argument.name) {
                kept.push(argument);
            }
        }
        let kept = kept.iter().filter(|argument| !argument.is_plain());
        let kept: Vec<&Ident> = kept.map(|argument| &argument.name).collect();
        let result = Ident::new("result", Span::mixed_site());
        values.push(result.to_token_stream());
        let rule = inlined(closure, &values, larder);
        let negative = if self.options.negative_ttl.is_some() {
            quote!(::core::option::Option::Some((&&#kind).larder_is_none()))
        } else {
            quote!(::core::option::Option::None)
        };
        Ok(quote!({
            #(let #kept = ::core::clone::Clone::clone(&#kept);)*
            #larder::__private::of_value(#kind.value(), #negative, move |#result| #rule)
        }))
    }

    /// An option that is evaluated for each call: a closure of the arguments, or any expression.
    fn evaluated(&self, value: &Expr, what: &str) -> Result<TokenStream> {
        match value {
            Expr::Closure(closure) => {
                let (taken, _) = self.key.given.of(closure, what, false)?;
                let values: Vec<_> = taken.iter().map(|argument| value_of(argument)).collect();
                Ok(inlined(closure, &values, &self.larder))
            }
            other => Ok(quote!((#other))),
        }
    }
}

/// An expectation is for the body; the function around it must not be held to it.
fn without_expectation(attribute: &Attribute) -> TokenStream {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("expect") => {
            let lints = &list.tokens;
            quote!(#[allow(#lints)])
        }
        _ => attribute.to_token_stream(),
    }
}
