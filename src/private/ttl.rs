use crate::{
    error::{Error, Result},
    ttl::{Problem, Ttl, parse},
};

/// The ttl of a literal, checked where the expansion makes a constant of it.
///
/// # Panics
///
/// For a text that is no ttl, which is then an error of the compiler.
#[must_use]
#[track_caller]
pub const fn span(text: &str) -> Ttl {
    match parse(text.as_bytes()) {
        Ok(ttl) => ttl,
        Err(problem) => panic!("{}", why(problem)),
    }
}

/// The ttl of an integer literal.
///
/// # Panics
///
/// As [`span`].
#[must_use]
#[track_caller]
pub const fn seconds(count: i128) -> Ttl {
    assert!(count >= 0, "a ttl is a number of seconds above zero");
    match Ttl::of_millis(count.unsigned_abs().saturating_mul(1_000)) {
        Ok(ttl) => ttl,
        Err(problem) => panic!("{}", why(problem)),
    }
}

// A constant can not format, so the text is not quoted: the compiler shows it.
const fn why(problem: Problem) -> &'static str {
    match problem {
        Problem::Empty => "an empty ttl; write a span such as \"1h30m\"",
        Problem::NumberExpected(_) => "not a ttl: a number is missing before a unit; write a span such as \"1h30m\"",
        Problem::UnitExpected(_) => "not a ttl: expected a unit (w, d, h, m, s or ms) after each number",
        Problem::UnitOrder(_) => "not a ttl: each unit once, the longest first, as in \"1h30m\"",
        Problem::Zero => "a ttl of zero would expire at once; use bypass to skip the cache",
        Problem::TooLong => "a ttl longer than 36500d; use Ttl::FOREVER for no expiry",
    }
}

/// How the ttl of a call comes about.
pub trait TtlRule<T> {
    /// The ttl that is known before the body has run.
    ///
    /// # Errors
    ///
    /// What is no ttl.
    fn before(&self) -> Result<Ttl>;

    /// The ttl that depends on what the body answered.
    fn after(self, value: &T) -> Option<Result<Ttl>>;
}

/// A ttl that is known before the body has run.
#[derive(Debug)]
pub struct Fixed(Result<Ttl>);

/// A ttl that depends on what the body answered.
#[derive(Debug)]
pub struct OfValue<F>(F);

/// A ttl that is known before the body has run.
pub fn fixed(ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Fixed {
    Fixed(ttl.try_into().map_err(Into::into))
}

/// A ttl that `rule` makes of a value; `None` leaves it to the negative ttl.
pub fn of_value<T, R, F>(
    _value_of: super::Pick<T>,
    negative: Option<fn(&T) -> bool>,
    rule: F,
) -> OfValue<impl FnOnce(&T) -> Option<Result<Ttl>>>
where
    F: FnOnce(&T) -> R,
    R: TryInto<Ttl, Error: Into<Error>>,
{
    OfValue(move |value: &T| match negative {
        Some(is_none) if is_none(value) => None,
        _ => Some(rule(value).try_into().map_err(Into::into)),
    })
}

impl<T> TtlRule<T> for Fixed {
    fn before(&self) -> Result<Ttl> {
        self.0.clone()
    }

    fn after(self, _: &T) -> Option<Result<Ttl>> {
        None
    }
}

impl<T, F: FnOnce(&T) -> Option<Result<Ttl>>> TtlRule<T> for OfValue<F> {
    fn before(&self) -> Result<Ttl> {
        // Every value that is stored for this long has brought its own, but a `None` with a ttl of its own.
        Ok(Ttl::FOREVER)
    }

    fn after(self, value: &T) -> Option<Result<Ttl>> {
        (self.0)(value)
    }
}
