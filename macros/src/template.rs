//! Key templates.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Error, Ident, Index, LitStr, Result, ext::IdentExt, parse::Parser};

/// One piece of a template.
pub(crate) enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// `{name.field:spec}`.
pub(crate) struct Placeholder {
    pub(crate) name: Ident,
    fields: Vec<TokenStream>,
    spec: Option<Spec>,
}

/// What stands behind the `:` of a placeholder.
struct Spec {
    text: String,
    /// It has a width or a precision, which only numbers stay distinct under.
    is_sized: bool,
}

/// A template, checked as far as one can without the function.
pub(crate) struct Template {
    pub(crate) pieces: Vec<Piece>,
    literal: LitStr,
}

impl Template {
    pub(crate) fn parse(literal: &LitStr) -> Result<Self> {
        let error = |message: String| Error::new(literal.span(), message);
        let text = literal.value();
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let (before, braced) = rest.split_at(at);
            plain.push_str(before);
            if braced.starts_with("{{") || braced.starts_with("}}") {
                plain.push_str(&braced[..1]);
                rest = &braced[2..];
                continue;
            }
            if braced.starts_with('}') {
                return Err(error(
                    "key: a `}` without a `{`; a brace that stands for itself is written `}}`".into(),
                ));
            }
            let Some(end) = braced.find('}') else {
                return Err(error(
                    "key: a `{` is not closed; a brace that stands for itself is written `{{`".into(),
                ));
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Placeholder(Placeholder::parse(&braced[1..end], literal)?));
            rest = &braced[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        let template = Self {
            pieces,
            literal: literal.clone(),
        };
        template.check_ends()?;
        Ok(template)
    }

    /// The end of a value has to be found, or two lists of arguments could make one key.
    fn check_ends(&self) -> Result<()> {
        for pair in self.pieces.windows(2) {
            let message = match pair {
                [Piece::Placeholder(one), Piece::Placeholder(two)] => format!(
                    "key: nothing stands between {{{}}} and {{{}}}, so that different values could make one key; write a \
                     `:` between them",
                    one.name, two.name
                ),
                [Piece::Placeholder(one), Piece::Text(text)] if text.starts_with('%') => format!(
                    "key: {{{}}} is followed by a `%`, with which escapes begin; write another character there",
                    one.name
                ),
                _ => continue,
            };
            return Err(Error::new(self.literal.span(), message));
        }
        Ok(())
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(placeholder) => Some(placeholder),
            Piece::Text(_) => None,
        })
    }

    pub(crate) fn literal(&self) -> &LitStr {
        &self.literal
    }

    /// An expression that makes the key. `argument` is the variable of a name.
    pub(crate) fn expression(&self, larder: &TokenStream, argument: impl Fn(&Ident) -> Ident) -> TokenStream {
        let span = proc_macro2::Span::mixed_site().located_at(self.literal.span());
        let mut tokens = quote!(#larder::__private::Key::new());
        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => tokens.extend(quote!(.text(#text))),
                Piece::Placeholder(Placeholder { name, fields, spec }) => {
                    let name = argument(name);
                    let value = match spec {
                        None => quote_spanned!(span=> &#name #(.#fields)*),
                        Some(Spec { text, is_sized }) => {
                            let spec = LitStr::new(&format!("{{:{text}}}"), self.literal.span());
                            let mut value = quote_spanned!(span=> #name #(.#fields)*);
                            if *is_sized {
                                value = quote_spanned!(span=> #larder::__private::number(&#value));
                            }
                            quote_spanned!(span=> &::core::format_args!(#spec, #value))
                        }
                    };
                    let end = if let Some(Piece::Text(text)) = self.pieces.get(at + 1) {
                        let end = text.chars().next();
                        quote!(::core::option::Option::Some(#end))
                    } else {
                        quote!(::core::option::Option::None)
                    };
                    tokens.extend(quote_spanned!(span=> .part(#value, #end)));
                }
            }
        }
        tokens.extend(quote!(.done()));
        tokens
    }
}

impl Placeholder {
    fn parse(inside: &str, literal: &LitStr) -> Result<Self> {
        let error = |message: String| Error::new(literal.span(), message);
        let (path, spec) = match inside.split_once(':') {
            Some((path, spec)) => (
                path,
                Some(Spec::parse(spec).map_err(|why| error(format!("key: {{{inside}}} {why}")))?),
            ),
            None => (inside, None),
        };
        let mut parts = path.split('.');
        let first = parts.next().unwrap_or_default();
        if first.is_empty() || first.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(error(format!(
                "key: {{{inside}}} names no argument; write the name of one, such as {{id}}"
            )));
        }
        let not_a_name = || {
            error(format!(
                "key: {{{inside}}} is neither an argument nor a field of one; for anything more give \
                 `key` a closure of the arguments"
            ))
        };
        let name = Ident::parse_any.parse_str(first).map_err(|_| not_a_name())?;
        let fields = parts.map(|part| {
            if let Ok(index) = part.parse::<u32>() {
                let span = literal.span();
                return Ok(Index { index, span }.to_token_stream());
            }
            let mut field = Ident::parse_any.parse_str(part).map_err(|_| not_a_name())?;
            field.set_span(literal.span());
            Ok(field.to_token_stream())
        });
        Ok(Self {
            fields: fields.collect::<Result<_>>()?,
            name,
            spec,
        })
    }
}

impl Spec {
    fn parse(spec: &str) -> std::result::Result<Self, &'static str> {
        let mut chars = spec.chars();
        let (fill, rest) = match (chars.next(), chars.next()) {
            (Some(fill), Some(align @ ('<' | '^' | '>'))) => (Some((fill, align)), chars.as_str()),
            _ => (None, spec),
        };
        if rest.contains(['$', '*']) {
            return Err("takes its width or precision from an argument; write a number");
        }
        // Zeros before a number are none of its digits.
        if fill.is_some_and(|(fill, align)| {
            (fill.is_alphanumeric() || "+-.".contains(fill)) && (fill, align) != ('0', '>')
        }) {
            return Err("is filled up with what could be part of the number; fill it with zeros, as in {id:04}");
        }
        Ok(Self {
            text: spec.to_owned(),
            is_sized: rest.contains(|c: char| c == '.' || c.is_ascii_digit()),
        })
    }
}
