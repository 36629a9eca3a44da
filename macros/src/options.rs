//! What stands in the attribute.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Error, Expr, ExprLit, Ident, Lit, LitInt, LitStr, Path, Result, Stmt, Token, UnOp,
    ext::IdentExt,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned,
};

const NAMES: &str = "cache, key, ttl, skip(..), on_error, bypass, negative_ttl, lease, wait, hard_timeout, \
                     refresh_ahead, stale_if_error, throttle, background, stale_while_revalidate, soft_timeout, \
                     schema_version, jitter, associated, crate";

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) cache: Option<Expr>,
    pub(crate) key: Option<Expr>,
    pub(crate) ttl: Option<Expr>,
    pub(crate) skip: Vec<Ident>,
    pub(crate) on_error: Option<OnError>,
    pub(crate) bypass: Option<Expr>,
    pub(crate) schema_version: Option<Expr>,
    pub(crate) negative_ttl: Option<Expr>,
    pub(crate) is_associated: bool,
    pub(crate) larder: Option<Path>,
    /// The first option that leaves loads behind their callers.
    pub(crate) detaches: Option<Ident>,
    pub(crate) hard_timeout: Option<Ident>,
    /// The calls on `LoadOptions` that the other options stand for.
    settings: Vec<(Ident, Expr)>,
}

#[derive(Clone, Copy)]
pub(crate) enum OnError {
    Execute,
    Raise,
    ReturnNone,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let name = input.call(Ident::parse_any)?;
            if seen.contains(&name) {
                return Err(Error::new(name.span(), format!("`{name}` is given twice")));
            }
            options.read(&name, input)?;
            seen.push(name);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn read(&mut self, name: &Ident, input: ParseStream<'_>) -> Result<()> {
        match name.to_string().as_str() {
            "cache" => self.cache = Some(value(input)?),
            "key" => self.key = Some(value(input)?),
            "ttl" => self.ttl = Some(value(input)?),
            "bypass" => self.bypass = Some(value(input)?),
            "on_error" => self.on_error = Some(on_error(&value(input)?)?),
            "associated" => self.is_associated = true,
            "crate" => {
                input.parse::<Token![=]>()?;
                self.larder = Some(input.call(Path::parse_mod_style)?);
            }
            "skip" => {
                let names;
                parenthesized!(names in input);
                let names = Punctuated::<Ident, Token![,]>::parse_terminated_with(&names, Ident::parse_any)?;
                self.skip = names.into_iter().collect();
            }
            "negative_ttl" => self.negative_ttl = Some(value(input)?),
            "schema_version" => self.schema_version = Some(value(input)?),
            "lease" | "wait" | "stale_if_error" | "throttle" => self.settings.push((name.clone(), value(input)?)),
            "background" => {
                self.detaches.get_or_insert_with(|| name.clone());
            }
            "stale_while_revalidate" | "soft_timeout" => {
                self.detaches.get_or_insert_with(|| name.clone());
                self.settings.push((name.clone(), value(input)?));
            }
            "hard_timeout" => {
                self.hard_timeout = Some(name.clone());
                self.settings.push((name.clone(), value(input)?));
            }
            "refresh_ahead" => {
                let fraction = value(input)?;
                check_fraction(&fraction, "between 0 and 1, such as 0.8", |f| f > 0.0 && f < 1.0)?;
                self.settings.push((name.clone(), fraction));
            }
            "jitter" => {
                let jitter = value(input)?;
                check_fraction(&jitter, "from 0 to below 1, such as 0.1", |f| (0.0..1.0).contains(&f))?;
                self.settings.push((Ident::new("ttl_jitter", name.span()), jitter));
            }
            _ => {
                let message = format!("there is no argument `{name}`; there are {NAMES}");
                return Err(Error::new(name.span(), message));
            }
        }
        Ok(())
    }

    /// The way to larder.
    pub(crate) fn larder(&self) -> TokenStream {
        let path = self.larder.as_ref().map(ToTokens::to_token_stream);
        path.unwrap_or_else(|| quote!(::larder))
    }

    /// The options that decide what a stored value is to a reader.
    pub(crate) fn reading(&self) -> TokenStream {
        let larder = self.larder();
        let schema = self
            .schema_version
            .as_ref()
            .map(|version| quote!(.schema_version(#version)));
        quote!(#larder::LoadOptions::new()#schema)
    }

    /// The `LoadOptions` of a call.
    pub(crate) fn loading(&self) -> TokenStream {
        let larder = self.larder();
        let mut options = self.reading();
        if let Some(ttl) = &self.negative_ttl {
            let ttl = constant(ttl, &larder);
            options.extend(quote!(.negative_ttl(#ttl)));
        }
        for (name, value) in &self.settings {
            let value = constant(value, &larder);
            options.extend(quote!(.#name(#value)));
        }
        options
    }
}

fn value(input: ParseStream<'_>) -> Result<Expr> {
    input.parse::<Token![=]>()?;
    input.parse().map(peeled)
}

/// What stands in the parentheses, the block or the fragment of a macro that is all of `value`.
fn peeled(value: Expr) -> Expr {
    match value {
        Expr::Group(group) if group.attrs.is_empty() => peeled(*group.expr),
        Expr::Paren(paren) if paren.attrs.is_empty() => peeled(*paren.expr),
        Expr::Block(block) if block.attrs.is_empty() && block.label.is_none() => match block.block.stmts.as_slice() {
            [Stmt::Expr(only, None)] => peeled(only.clone()),
            _ => Expr::Block(block),
        },
        other => other,
    }
}

fn on_error(value: &Expr) -> Result<OnError> {
    let text = text(value).map(LitStr::value);
    match text.as_deref() {
        Some("execute") => Ok(OnError::Execute),
        Some("raise") => Ok(OnError::Raise),
        Some("return_none") => Ok(OnError::ReturnNone),
        _ => Err(Error::new(
            value.span(),
            "`on_error` is \"execute\" (run the body), \"raise\" (fail) or \"return_none\"",
        )),
    }
}

fn check_fraction(value: &Expr, range: &str, is_in_range: fn(f64) -> bool) -> Result<()> {
    let number = match value {
        Expr::Lit(ExprLit {
            lit: Lit::Float(number),
            ..
        }) => number.base10_parse::<f64>()?,
        Expr::Lit(ExprLit {
            lit: Lit::Int(number), ..
        }) => {
            return Err(Error::new(number.span(), format!("a fraction is a number {range}")));
        }
        _ => return Ok(()),
    };
    if is_in_range(number) {
        Ok(())
    } else {
        Err(Error::new(value.span(), format!("{number}: not {range}")))
    }
}

/// The literal that a text is.
pub(crate) fn text(value: &Expr) -> Option<&LitStr> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text), ..
        }) => Some(text),
        _ => None,
    }
}

/// A text literal of a span as a constant, which the compiler checks; anything else as it is.
pub(crate) fn constant(value: &Expr, larder: &TokenStream) -> TokenStream {
    match checked(value, larder) {
        Some(check) => quote!({ const __LARDER_SPAN: #larder::Ttl = #check; __LARDER_SPAN }),
        None => value.to_token_stream(),
    }
}

/// What checks a literal ttl.
pub(crate) fn checked(value: &Expr, larder: &TokenStream) -> Option<TokenStream> {
    let span = Span::mixed_site().located_at(value.span());
    if text(value).is_some() {
        return Some(quote_spanned!(span=> #larder::__private::span(#value)));
    }
    let count = integer(value)?;
    Some(quote_spanned!(span=> #larder::__private::seconds(#count)))
}

/// An integer literal without its suffix: its type makes no difference to a number of seconds.
fn integer(value: &Expr) -> Option<TokenStream> {
    const TYPES: [&str; 13] = [
        "", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize",
    ];
    match peeled(value.clone()) {
        Expr::Lit(ExprLit {
            lit: Lit::Int(count), ..
        }) if TYPES.contains(&count.suffix()) => {
            Some(LitInt::new(count.base10_digits(), count.span()).to_token_stream())
        }
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            let count = integer(&unary.expr)?;
            Some(quote!(-#count))
        }
        _ => None,
    }
}
