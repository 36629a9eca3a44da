use std::{
    fmt::{self, Display, Write},
    num::NonZero,
};

/// A key while it is put together from the texts and placeholders of a template.
///
/// Two lists of arguments never make one key: a placeholder's value has `%` and `:` and the character that follows the
/// placeholder in the template written as `%` and two hexadecimal digits per byte, so that the first such character that
/// is bare ends the value.
#[derive(Debug, Default)]
pub struct Key(String);

impl Key {
    /// An empty key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text of the template.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.0.push_str(text);
        self
    }

    /// Adds the value of a placeholder that is followed by `end`.
    ///
    /// # Panics
    ///
    /// Where the value's `Display` fails, as `to_string` does: a key that is cut short could be another's.
    #[must_use]
    pub fn part(mut self, value: &dyn Display, end: Option<char>) -> Self {
        let mut escaped = Escaped { key: &mut self.0, end };
        write!(escaped, "{value}").expect("a Display implementation returned an error");
        self
    }

    /// The key.
    #[must_use]
    pub fn done(self) -> String {
        self.0
    }

    /// The key that a closure or function has made.
    pub fn of(key: impl Into<String>) -> String {
        key.into()
    }
}

/// What stays distinct when it is filled up to a width.
#[diagnostic::on_unimplemented(
    message = "a width or a precision in the key needs a number, and `{Self}` is none",
    label = "has a width or a precision",
    note = "a text that is filled up or cut short would make the key of another; leave the width and the precision out, \
            name a field that is a number, or give `key` a closure"
)]
pub trait Number {}

/// The value of a placeholder with a width or a precision.
pub fn number<N: Number>(value: &N) -> &N {
    value
}

impl<N: Number + ?Sized> Number for &N {}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Number for $number {}
    )*};
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Number for $integer {}
        impl Number for NonZero<$integer> {}
    )*};
}

integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);
numbers!(f32 f64);

struct Escaped<'a> {
    key: &'a mut String,
    end: Option<char>,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        let is_special = |c: char| c == ':' || c == '%' || Some(c) == self.end;
        while let Some((plain, special)) = rest.split_once(is_special) {
            self.key.push_str(plain);
            let behind = rest.len() - special.len();
            for byte in rest.as_bytes().iter().take(behind).skip(plain.len()) {
                write!(self.key, "%{byte:02X}")?;
            }
            rest = special;
        }
        self.key.push_str(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn two(a: &str, between: &str, b: &str) -> String {
        let end = between.chars().next();
        Key::new().text("k:").part(&a, end).text(between).part(&b, None).done()
    }

    #[test]
    fn plain_values_stand_as_they_are() {
        assert_eq!(two("42", ":", "naïve café/x.y-z_(1)"), "k:42:naïve café/x.y-z_(1)");
        assert_eq!(two("", ":", ""), "k::");
    }

    #[test]
    fn what_could_be_taken_for_the_template_is_escaped() {
        assert_eq!(two("a:b", ":", "c"), "k:a%3Ab:c");
        assert_eq!(two("a", ":", "b:c"), "k:a:b%3Ac");
        assert_eq!(two("50%", ":", "x"), "k:50%25:x");
        assert_eq!(two("2024-01", "-", "a-b"), "k:2024%2D01-a-b");
        assert_eq!(two("a→b", "→", "c"), "k:a%E2%86%92b→c");
    }

    proptest! {
        #[test]
        fn different_values_never_make_one_key(
            one in ("[ab:%-]{0,4}", "[ab:%-]{0,4}"),
            other in ("[ab:%-]{0,4}", "[ab:%-]{0,4}"),
            between in "[:ab3-][:ab%-]{0,2}",
        ) {
            prop_assume!(one != other);
            prop_assert_ne!(two(&one.0, &between, &one.1), two(&other.0, &between, &other.1));
        }
    }
}
