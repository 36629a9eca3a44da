use std::hash::{Hash, Hasher};

use quick_cache::Equivalent;

/// A key as the map keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(Box<str>);

/// A key as it is asked for, in two parts. Where it is split makes no difference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'p, 'k> {
    prefix: &'p str,
    key: &'k str,
}

impl Key {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0.into_string()
    }
}

impl From<&str> for Key {
    fn from(key: &str) -> Self {
        Self(key.into())
    }
}

impl<'p, 'k> Parts<'p, 'k> {
    #[inline]
    pub(crate) const fn new(prefix: &'p str, key: &'k str) -> Self {
        Self { prefix, key }
    }

    #[inline]
    pub(crate) const fn whole(key: &'k str) -> Self {
        Self::new("", key)
    }
}

impl Equivalent<Key> for Parts<'_, '_> {
    #[inline]
    fn equivalent(&self, key: &Key) -> bool {
        let key = key.as_str().as_bytes();
        let (prefix, own) = (self.prefix.as_bytes(), self.key.as_bytes());
        key.len() == prefix.len() + own.len()
            && (key.split_at_checked(prefix.len()))
                .is_some_and(|(before, behind)| is_same(before, prefix) && is_same(behind, own))
    }
}

/// Tells whether two slices of one length hold the same. Short ones in place, because a call of `memcmp` costs more than
/// what it does with them.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    match one.len() {
        0..4 => one.iter().eq(other),
        4..8 => have_same_ends::<4>(one, other),
        8..=16 => have_same_ends::<8>(one, other),
        _ => one == other,
    }
}

/// Compares the first and the last `N` bytes, which may overlap.
#[inline]
fn have_same_ends<const N: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<N>() == other.first_chunk() && one.last_chunk::<N>() == other.last_chunk()
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        Parts::whole(self.as_str()).hash(state);
    }
}

/// Hashes the little-endian words of the whole key, the last of which ends with a byte that is in no string, so that no
/// key's words are the beginning of another's.
///
/// They are put together in registers: to write both parts to one place and to read them back at once costs a hit more
/// than all of its hashing. They are as long as what the hasher mixes at once.
impl Hash for Parts<'_, '_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (prefix, key) = (self.prefix.as_bytes(), self.key.as_bytes());
        if prefix.len() < HALF {
            return hash_halves(prefix, key, state);
        }
        let (words, rest) = prefix.as_chunks();
        for word in words {
            state.write_u128(u128::from_le_bytes(*word));
        }
        // The bytes of the prefix in the word that the key begins in.
        let (begun, bits) = (last_bytes(prefix, rest), 8 * rest.len());
        if let Some(first) = key.first_chunk() {
            state.write_u128(begun | u128::from_le_bytes(*first) << bits);
            let (words, rest) = key[WORD - rest.len()..].as_chunks();
            for word in words {
                state.write_u128(u128::from_le_bytes(*word));
            }
            state.write_u128(last_bytes(key, rest) | u128::from(END) << (8 * rest.len()));
        } else {
            let last = last_bytes(key, key) | u128::from(END) << (8 * key.len());
            state.write_u128(begun | last << bits);
            if rest.len() + key.len() >= WORD {
                state.write_u128(last >> (8 * WORD - bits));
            }
        }
    }
}

/// The bytes of a word.
const WORD: usize = size_of::<u128>();
const HALF: usize = size_of::<u64>();

/// The byte behind a key.
const END: u64 = 0xff;

/// Hashes a key behind a prefix that ends within the first half of a word: by the halves of words, because a shift of a
/// whole one takes several instructions.
#[inline]
fn hash_halves<H: Hasher>(prefix: &[u8], key: &[u8], state: &mut H) {
    let mut write = |low: u64, high: u64| state.write_u128(u128::from(low) | u128::from(high) << 64);
    let (begun, bits) = (few(prefix), 8 * prefix.len());
    let (Some(first), Some(last)) = (key.first_chunk(), key.last_chunk()) else {
        let key = few(key) | END << (8 * key.len());
        // In two steps, because nothing is left where there is no prefix, which would be a shift by all bits.
        return write(begun | key << bits, (key >> 1) >> (63 - bits));
    };
    let [first, last] = [first, last].map(|bytes| u64::from_le_bytes(*bytes));
    let (halves, rest) = key[HALF - prefix.len()..].as_chunks();
    let end = (last >> 8 | END << 56) >> (8 * (HALF - 1 - rest.len()));
    let mut halves = halves.iter().map(|half| u64::from_le_bytes(*half));
    let mut low = begun | first << bits;
    loop {
        let Some(high) = halves.next() else {
            return write(low, end);
        };
        write(low, high);
        let Some(next) = halves.next() else {
            return write(end, 0);
        };
        low = next;
    }
}

/// The word of `rest`, the last bytes of `part` and fewer than a word has.
#[inline]
fn last_bytes(part: &[u8], rest: &[u8]) -> u128 {
    if let Some(last) = part.last_chunk() {
        // In two steps, because nothing is left where there is no rest, which would be a shift by all bits.
        return (u128::from_le_bytes(*last) >> 8) >> (8 * (WORD - 1 - rest.len()));
    }
    if let (Some(first), Some(last)) = (rest.first_chunk(), rest.last_chunk()) {
        let [first, last] = [first, last].map(|bytes| u128::from(u64::from_le_bytes(*bytes)));
        return first | last << (8 * rest.len() - 64);
    }
    few(rest).into()
}

/// The bytes of `part`, of which there are fewer than eight.
#[inline]
fn few(part: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (part.first_chunk(), part.last_chunk()) {
        let [first, last] = [first, last].map(|bytes| u64::from(u32::from_le_bytes(*bytes)));
        return first | last << (8 * part.len() - 32);
    }
    match *part {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c] => u32::from_le_bytes([a, b, c, 0]).into(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use proptest::prelude::*;
    use quick_cache::{DefaultHashBuilder, sync::Cache};

    use super::*;

    /// The words that a hasher is given.
    #[derive(Default)]
    struct Written(Vec<u128>);

    impl Hasher for Written {
        fn finish(&self) -> u64 {
            0
        }

        fn write(&mut self, bytes: &[u8]) {
            panic!("{bytes:?} do not come as a word");
        }

        fn write_u128(&mut self, word: u128) {
            self.0.push(word);
        }
    }

    fn words(parts: Parts<'_, '_>) -> Vec<u128> {
        let mut written = Written::default();
        parts.hash(&mut written);
        written.0
    }

    /// Every place where a string can be split.
    fn splits(whole: &str) -> impl Iterator<Item = Parts<'_, '_>> {
        let places = (0..=whole.len()).filter(|place| whole.is_char_boundary(*place));
        places.map(|place| Parts::new(&whole[..place], &whole[place..]))
    }

    #[test]
    fn a_key_of_any_length_is_hashed_the_same_wherever_it_is_split() {
        let long: String = (0..70u8).map(|byte| char::from(b'!' + byte)).collect();
        for len in 0..=long.len() {
            let expected = words(Parts::whole(&long[..len]));
            assert_eq!(expected.len(), len / WORD + 1);
            assert!(splits(&long[..len]).all(|parts| words(parts) == expected), "{len}");
        }
    }

    proptest! {
        #[test]
        fn the_words_of_a_key_are_its_bytes_and_an_end_however_it_is_split(whole in ".{0,40}") {
            let mut bytes = whole.clone().into_bytes();
            bytes.push(0xff);
            bytes.resize(bytes.len().next_multiple_of(WORD), 0);
            let (expected, _) = bytes.as_chunks();
            let expected: Vec<u128> = expected.iter().map(|word| u128::from_le_bytes(*word)).collect();
            for parts in splits(&whole) {
                prop_assert_eq!(words(parts), &*expected, "{:?}", parts);
            }
        }

        #[test]
        fn a_key_is_found_by_its_parts_and_hashed_as_they_are(whole in ".{0,40}") {
            let hasher = DefaultHashBuilder::default();
            let map = Cache::new(10);
            map.insert(Key::from(&*whole), ());
            for parts in splits(&whole) {
                prop_assert_eq!(hasher.hash_one(parts), hasher.hash_one(Key::from(&*whole)));
                prop_assert!(map.get(&parts).is_some(), "{:?}", parts);
            }
        }

        #[test]
        fn parts_are_equivalent_to_the_key_that_they_make_and_to_no_other(
            prefix in "[ab]{0,3}", key in "[ab]{0,3}", other in "[ab]{0,6}",
        ) {
            let is_same = format!("{prefix}{key}") == other;
            prop_assert_eq!(Parts::new(&prefix, &key).equivalent(&Key::from(&*other)), is_same);
        }
    }
}
