//! Redis glob patterns, matched in process.
//!
//! The rules are those of [`SCAN MATCH`](https://redis.io/docs/latest/commands/keys/): `?` is one byte, `*` any
//! number of bytes, `[abc]`, `[a-z]` and `[^a]` one byte of a class, and `\` makes the next byte ordinary. A test
//! holds [`matches()`] against a real server on random patterns and keys.

use std::borrow::Cow;

/// Tells whether `key` matches `pattern` by Redis's own rules.
///
/// Works on bytes, as Redis does, so `?` matches one byte of a multi-byte character. Takes time proportional to
/// the product of the two lengths at worst, whatever the pattern.
///
/// # Examples
///
/// ```
/// use larder::glob;
///
/// assert!(glob::matches("user:*", "user:1"));
/// assert!(glob::matches("user:[0-9]?", "user:17"));
/// assert!(glob::matches(r"\*", "*"));
/// assert!(!glob::matches("user:*", "users:1"));
/// ```
#[must_use]
pub fn matches(pattern: &str, key: &str) -> bool {
    // KEYS and SCAN answer a lone star without asking the matcher, which would refuse the empty key.
    pattern == "*" || matches_bytes(pattern.as_bytes(), key.as_bytes())
}

fn matches_bytes(pattern: &[u8], key: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // After a star: where the pattern goes on, and how much of the key the star has taken so far. Every other
    // token takes exactly one byte, so only the last star ever needs to take more.
    let mut star: Option<(usize, usize)> = None;
    while seen < key.len() {
        if at < pattern.len() && pattern[at] == b'*' {
            at += 1;
            star = Some((at, seen));
            continue;
        }
        if at < pattern.len() {
            let (token_matches, next) = match_token(pattern, at, key[seen]);
            if token_matches {
                at = next;
                seen += 1;
                continue;
            }
        }
        let Some((resume, taken)) = star else {
            return false;
        };
        if resume == pattern.len() {
            return true;
        }
        at = resume;
        seen = taken + 1;
        star = Some((resume, seen));
    }
    // The key is used up. Stars may take nothing, but only behind something that took a byte: Redis never enters
    // its loop for an empty key.
    if key.is_empty() {
        return pattern.is_empty();
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// Matches the one-byte token at `at` and tells where the next one begins.
fn match_token(pattern: &[u8], at: usize, byte: u8) -> (bool, usize) {
    match pattern[at] {
        b'?' => (true, at + 1),
        b'[' => match_class(pattern, at + 1, byte),
        b'\\' if at + 1 < pattern.len() => (pattern[at + 1] == byte, at + 2),
        literal => (literal == byte, at + 1),
    }
}

/// Matches the class whose first byte is at `at`. A class that is never closed ends with the pattern.
fn match_class(pattern: &[u8], mut at: usize, byte: u8) -> (bool, usize) {
    let negated = pattern.get(at) == Some(&b'^');
    if negated {
        at += 1;
    }
    let mut found = false;
    loop {
        match pattern.get(at..).unwrap_or_default() {
            [] => return (found != negated, pattern.len()),
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => return (found != negated, at + 1),
            [first, b'-', last, ..] => {
                let (first, last) = (c_char(*first), c_char(*last));
                found |= (first.min(last)..=first.max(last)).contains(&c_char(byte));
                at += 3;
            }
            [literal, ..] => {
                found |= *literal == byte;
                at += 1;
            }
        }
    }
}

/// Redis compares the ends of a range as C's `char`, which has a sign on some machines and none on others. It matters
/// to ranges with an end outside ASCII alone.
const fn c_char(byte: u8) -> std::ffi::c_char {
    std::ffi::c_char::from_ne_bytes([byte])
}

/// Escapes `text` so that, as part of a pattern, it matches only itself.
///
/// # Examples
///
/// ```
/// use larder::glob;
///
/// assert_eq!(glob::escape("cache[v2]"), r"cache\[v2\]");
/// assert!(glob::matches(&glob::escape("a*"), "a*"));
/// assert!(!glob::matches(&glob::escape("a*"), "ab"));
/// assert_eq!(glob::escape("plain"), "plain");
/// ```
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    const SPECIAL: [char; 5] = ['*', '?', '[', ']', '\\'];
    if !text.contains(SPECIAL) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if SPECIAL.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    Cow::Owned(escaped)
}

/// What every key that matches `pattern` begins with.
pub(crate) fn literal_prefix(pattern: &str) -> String {
    let mut prefix = String::new();
    let mut chars = pattern.chars();
    while let Some(next) = chars.next() {
        match next {
            '*' | '?' | '[' => break,
            '\\' => match chars.next() {
                Some(ordinary) => prefix.push(ordinary),
                None => break,
            },
            ordinary => prefix.push(ordinary),
        }
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_take_anything_and_give_it_back() {
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(matches("*abc", "ababc"));
        assert!(matches("a**", "a"));
        assert!(!matches("a*b", "a-c"));
    }

    #[test]
    fn the_empty_key_matches_the_empty_pattern_and_the_lone_star_alone() {
        assert!(matches("", ""));
        assert!(matches("*", ""));
        assert!(!matches("**", ""));
        assert!(!matches("", "a"));
    }

    #[test]
    fn a_literal_prefix_ends_where_a_choice_begins() {
        for (pattern, prefix) in [
            ("user:*", "user:"),
            (r"a\*b?", "a*b"),
            ("[ab]", ""),
            ("ключ", "ключ"),
            (r"end\", "end"),
        ] {
            assert_eq!(literal_prefix(pattern), prefix);
        }
    }

    #[test]
    fn classes_are_read_as_redis_reads_them() {
        assert!(matches("[a-c]", "b"));
        assert!(matches("[c-a]", "b"));
        assert!(matches("[^a-c]", "d"));
        assert!(matches(r"[\]]", "]"));
        assert!(matches("[abc", "c"));
        assert!(!matches("[]a", "a"));
        assert!(matches("[a-]", "a"));
    }

    #[test]
    fn a_pattern_of_many_stars_is_quick_on_a_key_that_almost_matches() {
        let pattern = "a*".repeat(500) + "b";
        assert!(!matches(&pattern, &"a".repeat(20_000)));
    }

    proptest! {
        #[test]
        fn an_escaped_text_matches_itself_and_nothing_longer(text in "\\PC{1,20}", more in "\\PC{1,3}") {
            let pattern = escape(&text);
            prop_assert!(matches(&pattern, &text));
            let longer = format!("{text}{more}");
            prop_assert!(!matches(&pattern, &longer));
        }
    }
}
