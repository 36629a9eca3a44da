use std::{fmt, str::FromStr, time::Duration};

use crate::error::Error;

/// How long an entry lives: a span in milliseconds, for ever, or the cache's own default.
///
/// Every call that takes a ttl takes anything that converts into one:
///
/// | you write | it means |
/// |---|---|
/// | `"2h30m"`, `"1d"`, `"250ms"` | the grammar below |
/// | `3600` (any integer type) | seconds |
/// | `Duration::from_millis(1500)` | itself; a part of a millisecond counts as a whole one |
/// | `Ttl::FOREVER` | no expiry |
/// | `Ttl::DEFAULT`, `None::<Duration>` | the cache's `default_ttl`; an error where the cache has none |
///
/// # Grammar
///
/// ```text
/// ttl   = part { part }              units in descending order, each at most once
/// part  = digits unit
/// unit  = "w" | "d" | "h" | "m" | "s" | "ms"
/// ```
///
/// No sign, no fraction, no space, no upper case, and a unit after every number. A span of zero, a negative
/// integer, and anything longer than [`Ttl::MAX`] are errors, so that nothing ever becomes "no expiry" or
/// "expired at once" by accident.
///
/// # Examples
///
/// ```
/// use larder::Ttl;
/// use std::time::Duration;
///
/// let ttl: Ttl = "2h30m".parse()?;
/// assert_eq!(ttl.as_duration(), Some(Duration::from_secs(9000)));
/// assert_eq!(ttl, Ttl::try_from(9000)?);
///
/// let error = "1hfoo".parse::<Ttl>().unwrap_err();
/// assert_eq!(error.to_string(), r#"ttl "1hfoo": expected a number before "foo""#);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ttl(Span);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Span {
    Default,
    Forever,
    Millis(u64),
}

const UNITS: [(&[u8], u64); 6] = [
    (b"w", 7 * 24 * 3_600_000),
    (b"d", 24 * 3_600_000),
    (b"h", 3_600_000),
    (b"m", 60_000),
    (b"s", 1_000),
    (b"ms", 1),
];

/// Why a ttl was refused; positions are byte offsets into the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    Empty,
    NumberExpected(usize),
    UnitExpected(usize),
    UnitOrder(usize),
    Zero,
    TooLong,
}

impl Ttl {
    /// No expiry: the entry stays until it is deleted, replaced or evicted.
    pub const FOREVER: Self = Self(Span::Forever);

    /// The default ttl of the cache that is called.
    pub const DEFAULT: Self = Self(Span::Default);

    /// The longest span a ttl can name: 36 500 days. Longer ones are errors; [`Ttl::FOREVER`] is what they mean.
    pub const MAX: Duration = Duration::from_millis(MAX_MILLIS);

    /// The span, or `None` for [`Ttl::FOREVER`] and [`Ttl::DEFAULT`].
    #[must_use]
    pub const fn as_duration(self) -> Option<Duration> {
        match self.0 {
            Span::Millis(millis) => Some(Duration::from_millis(millis)),
            Span::Default | Span::Forever => None,
        }
    }

    /// Puts `default` in the place of [`Ttl::DEFAULT`].
    #[must_use]
    pub(crate) const fn or(self, default: Option<Self>) -> Option<Self> {
        match self.0 {
            Span::Default => default,
            Span::Forever | Span::Millis(_) => Some(self),
        }
    }

    pub(crate) const fn is_default(self) -> bool {
        matches!(self.0, Span::Default)
    }

    pub(crate) const fn of_millis(millis: u128) -> Result<Self, Problem> {
        if millis == 0 {
            Err(Problem::Zero)
        } else if millis > MAX_MILLIS as u128 {
            Err(Problem::TooLong)
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "compared with MAX_MILLIS above")]
            let millis = millis as u64;
            Ok(Self(Span::Millis(millis)))
        }
    }
}

const MAX_MILLIS: u64 = 36_500 * 24 * 3_600_000;

pub(crate) const fn parse(text: &[u8]) -> Result<Ttl, Problem> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    let mut total: u128 = 0;
    let mut at = 0;
    let mut next_unit = 0;
    while at < text.len() {
        let start = at;
        let mut count: u128 = 0;
        while at < text.len() && text[at].is_ascii_digit() {
            // Saturation keeps a thousand-digit number an ordinary "too long".
            count = count.saturating_mul(10).saturating_add((text[at] - b'0') as u128);
            at += 1;
        }
        if at == start {
            return Err(Problem::NumberExpected(start));
        }
        let Some((unit, length)) = unit_at(text, at) else {
            return Err(Problem::UnitExpected(at));
        };
        if unit < next_unit {
            return Err(Problem::UnitOrder(start));
        }
        next_unit = unit + 1;
        total = total.saturating_add(count.saturating_mul(UNITS[unit].1 as u128));
        at += length;
    }
    Ttl::of_millis(total)
}

/// The unit that starts at `at`, as its place in `UNITS` and its length: letters up to the next digit, or nothing.
const fn unit_at(text: &[u8], at: usize) -> Option<(usize, usize)> {
    // "ms" before "m", or "250ms" would read as 250 minutes and a stray "s".
    if at + 1 < text.len() && text[at] == b'm' && text[at + 1] == b's' {
        return Some((5, 2));
    }
    if at >= text.len() {
        return None;
    }
    let mut unit = 0;
    while unit < 5 {
        if UNITS[unit].0[0] == text[at] {
            return Some((unit, 1));
        }
        unit += 1;
    }
    None
}

#[cold]
fn describe(problem: Problem, text: &str) -> Error {
    let rest = |at: usize| brief(text.get(at..).unwrap_or_default());
    let text = brief(text);
    let why = match problem {
        Problem::Empty => "it is empty; write a span such as \"1h30m\"".to_owned(),
        Problem::NumberExpected(at) => format!("expected a number before {:?}", rest(at)),
        Problem::UnitExpected(at) if rest(at).is_empty() => {
            "expected a unit (w, d, h, m, s or ms) at the end".to_owned()
        }
        Problem::UnitExpected(at) => {
            format!("expected a unit (w, d, h, m, s or ms) at {:?}", rest(at))
        }
        Problem::UnitOrder(at) => format!(
            "the unit of {:?} is out of order: each unit once, the longest first",
            rest(at)
        ),
        Problem::Zero => "a ttl of zero would expire at once; delete the key instead".to_owned(),
        Problem::TooLong => "longer than 36500d; use Ttl::FOREVER for no expiry".to_owned(),
    };
    Error::invalid(format!("ttl {text:?}: {why}"))
}

/// The beginning of a text that is too long to quote whole.
fn brief(text: &str) -> &str {
    &text[..text.floor_char_boundary(64)]
}

impl FromStr for Ttl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text.as_bytes()).map_err(|problem| describe(problem, text))
    }
}

impl TryFrom<&str> for Ttl {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<&String> for Ttl {
    type Error = Error;

    fn try_from(text: &String) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<String> for Ttl {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl TryFrom<Duration> for Ttl {
    type Error = Error;

    fn try_from(span: Duration) -> Result<Self, Error> {
        let millis = span.as_nanos().div_ceil(1_000_000);
        Self::of_millis(millis).map_err(|problem| describe(problem, &format!("{span:?}")))
    }
}

impl TryFrom<Option<Duration>> for Ttl {
    type Error = Error;

    fn try_from(span: Option<Duration>) -> Result<Self, Error> {
        span.map_or(Ok(Self::DEFAULT), Self::try_from)
    }
}

macro_rules! ttl_from_seconds {
    ($($integer:ty),*) => {$(
        impl TryFrom<$integer> for Ttl {
            type Error = Error;

            fn try_from(seconds: $integer) -> Result<Self, Error> {
                let count = u128::try_from(seconds)
                    .map_err(|_| Error::invalid(format!("ttl {seconds}: negative; a ttl is a number of seconds above zero")))?;
                Self::of_millis(count.saturating_mul(1_000)).map_err(|problem| describe(problem, &format!("{seconds}s")))
            }
        }
    )*};
}

ttl_from_seconds!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

/// Writes a ttl by the same grammar it is read by; the two named values read `forever` and `default`.
impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = match self.0 {
            Span::Default => return f.write_str("default"),
            Span::Forever => return f.write_str("forever"),
            Span::Millis(millis) => millis,
        };
        for (unit, millis) in UNITS {
            let count = rest / millis;
            rest %= millis;
            if count > 0 {
                write!(f, "{count}{}", unit.escape_ascii())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn millis(text: &str) -> u64 {
        let span = text.parse::<Ttl>().unwrap().as_duration().unwrap();
        u64::try_from(span.as_millis()).unwrap()
    }

    fn refusal(text: &str) -> String {
        text.parse::<Ttl>().unwrap_err().to_string()
    }

    #[test]
    fn each_unit_and_their_sum_are_read() {
        assert_eq!(millis("2h30m"), 9_000_000);
        assert_eq!(millis("1d"), 86_400_000);
        assert_eq!(millis("30s"), 30_000);
        assert_eq!(millis("250ms"), 250);
        assert_eq!(millis("1w2d3h4m5s6ms"), 788_645_006);
        assert_eq!(millis("1m1ms"), 60_001);
        assert_eq!(millis("0h5s"), 5_000);
        assert_eq!(millis("090s"), 90_000);
    }

    #[test]
    fn every_wrong_text_is_refused_with_the_text_and_the_reason() {
        assert_eq!(refusal(""), r#"ttl "": it is empty; write a span such as "1h30m""#);
        assert_eq!(refusal("-5s"), r#"ttl "-5s": expected a number before "-5s""#);
        assert_eq!(refusal("1hfoo"), r#"ttl "1hfoo": expected a number before "foo""#);
        assert_eq!(
            refusal("1.5.2h"),
            r#"ttl "1.5.2h": expected a unit (w, d, h, m, s or ms) at ".5.2h""#
        );
        assert_eq!(
            refusal("3600"),
            r#"ttl "3600": expected a unit (w, d, h, m, s or ms) at the end"#
        );
        assert_eq!(refusal("1h 5m"), r#"ttl "1h 5m": expected a number before " 5m""#);
        assert_eq!(
            refusal("5m1h"),
            r#"ttl "5m1h": the unit of "1h" is out of order: each unit once, the longest first"#
        );
        assert_eq!(
            refusal("1h1h"),
            r#"ttl "1h1h": the unit of "1h" is out of order: each unit once, the longest first"#
        );
        assert_eq!(
            refusal("0s"),
            r#"ttl "0s": a ttl of zero would expire at once; delete the key instead"#
        );
        assert_eq!(
            refusal("99999999d"),
            r#"ttl "99999999d": longer than 36500d; use Ttl::FOREVER for no expiry"#
        );
        for text in [
            "1H", "h", "1", "1y", "٣s", "1h\0", "+1s", "1e3s", " 1s", "1s ", "1µs", "∞", "forever",
        ] {
            assert!(refusal(text).starts_with(&format!("ttl {text:?}: ")), "{text:?}");
        }
        assert!(refusal(&"x".repeat(100_000)).len() < 250);
        assert!(refusal(&format!("{}s", "9".repeat(1000))).ends_with("use Ttl::FOREVER for no expiry"));
    }

    #[test]
    fn numbers_are_seconds_and_never_negative_or_zero() {
        assert_eq!(Ttl::try_from(60).unwrap(), "1m".parse().unwrap());
        assert_eq!(Ttl::try_from(60_u64).unwrap(), "1m".parse().unwrap());
        assert_eq!(
            Ttl::try_from(-5_i32).unwrap_err().to_string(),
            "ttl -5: negative; a ttl is a number of seconds above zero"
        );
        assert!(Ttl::try_from(0).is_err());
        assert!(Ttl::try_from(u64::MAX).is_err());
        assert!(Ttl::try_from(i64::MIN).is_err());
    }

    #[test]
    fn a_duration_is_rounded_up_to_a_whole_millisecond() {
        let ttl = Ttl::try_from(Duration::from_micros(1)).unwrap();
        assert_eq!(ttl.as_duration(), Some(Duration::from_millis(1)));
        let ttl = Ttl::try_from(Duration::from_micros(1_500)).unwrap();
        assert_eq!(ttl.as_duration(), Some(Duration::from_millis(2)));
        assert!(Ttl::try_from(Duration::ZERO).is_err());
        assert!(Ttl::try_from(Duration::MAX).is_err());
    }

    #[test]
    fn an_absent_duration_is_the_default_and_not_for_ever() {
        assert_eq!(Ttl::try_from(None::<Duration>).unwrap(), Ttl::DEFAULT);
        assert_eq!(Ttl::DEFAULT.or(None), None);
        assert_eq!(Ttl::DEFAULT.or(Some(Ttl::FOREVER)), Some(Ttl::FOREVER));
    }

    proptest! {
        #[test]
        fn what_is_displayed_reads_back_as_the_same_ttl(millis in 1..=MAX_MILLIS) {
            let ttl = Ttl(Span::Millis(millis));
            prop_assert_eq!(ttl.to_string().parse::<Ttl>().unwrap(), ttl);
        }

        #[test]
        fn any_text_is_a_ttl_by_the_grammar_or_a_one_line_error_that_quotes_it(text in "\\PC{0,12}|([0-9]{1,4}(w|d|h|m|s|ms)){1,4}") {
            match text.parse::<Ttl>() {
                Ok(ttl) => {
                    let parts = text.split_inclusive(|c: char| c.is_ascii_alphabetic()).count();
                    prop_assert!(parts > 0 && text.bytes().all(|b| b.is_ascii_alphanumeric()));
                    prop_assert!(ttl.as_duration().unwrap() >= Duration::from_millis(1));
                }
                Err(error) => {
                    let quoted = format!("ttl {text:?}: ");
                    prop_assert!(error.to_string().starts_with(&quoted));
                    prop_assert!(!error.to_string().contains('\n'));
                }
            }
        }
    }
}
