//! The Lua scripts behind the conditions no plain command has.

use std::sync::OnceLock;

use sha1_smol::Sha1;

/// A script and the hash servers know it by.
#[derive(Debug)]
pub struct Script {
    source: &'static str,
    writes: bool,
    hash: OnceLock<String>,
}

/// The answer of a script that wrote.
pub(crate) const DONE: i64 = 1;
/// The answer of a script whose key is missing.
pub(crate) const MISSING: i64 = 0;
/// The answer of a script whose prefix did not match.
pub(crate) const MISMATCH: i64 = -1;

/// Puts the guard before a script's own lines: `ARGV[1]` is the prefix the value must have, or empty for any value.
///
/// STRLEN and GETRANGE answer a key of another type with the server's own WRONGTYPE error, which the guard hands on,
/// and a missing key like an empty value, which EXISTS then tells apart.
macro_rules! guarded {
    ($body:literal) => {
        concat!(
            "local size = redis.pcall('STRLEN', KEYS[1])\n",
            "if type(size) == 'table' then return size end\n",
            "if size == 0 and redis.call('EXISTS', KEYS[1]) == 0 then return 0 end\n",
            "local prefix = ARGV[1]\n",
            "if prefix ~= '' and redis.call('GETRANGE', KEYS[1], 0, #prefix - 1) ~= prefix then return -1 end\n",
            $body,
            "\nreturn 1"
        )
    };
}

/// `ARGV[2]` is the value; `ARGV[3]` a life in milliseconds, `'keep'` or `'never'`.
pub(crate) static SET: Script = Script::new(guarded!(
    "local life = ARGV[3]
if life == 'keep' then redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
elseif life == 'never' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', life) end"
));

pub(crate) static DELETE: Script = Script::new(guarded!("redis.call('UNLINK', KEYS[1])"));

/// `ARGV[2]` is the life in milliseconds.
pub(crate) static EXPIRE: Script = Script::new(guarded!("redis.call('PEXPIRE', KEYS[1], ARGV[2])"));

pub(crate) static PERSIST: Script = Script::new(guarded!("redis.call('PERSIST', KEYS[1])"));

/// Takes the expiry off a key of any type.
pub(crate) static PERSIST_ANY: Script = Script::new(
    "-- PERSIST alone does not tell a missing key from one without expiry.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('PERSIST', KEYS[1])
return 1",
);

/// `ARGV[1]` is the index of the last byte wanted, or -1 for none: to GETRANGE itself that means the whole value.
pub(crate) static HEAD: Script = Script::reading(
    "local size = redis.pcall('STRLEN', KEYS[1])
if type(size) == 'table' then return size end
if size == 0 and redis.call('EXISTS', KEYS[1]) == 0 then return false end
local bytes = ''
if ARGV[1] ~= '-1' then bytes = redis.call('GETRANGE', KEYS[1], 0, ARGV[1]) end
return {bytes, size, redis.call('PTTL', KEYS[1])}",
);

/// Which command a script is sent by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a client has to know each")]
pub enum Sending {
    /// EVALSHA, and EVAL where the server does not know the script yet: two round trips the first time.
    ByHash,
    /// EVAL at once, which keeps its place between the commands sent before and after it.
    BySource,
}

impl Sending {
    /// The one that serves where either is needed.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == Self::ByHash { other } else { self }
    }
}

impl Script {
    const fn new(source: &'static str) -> Self {
        Self {
            source,
            writes: true,
            hash: OnceLock::new(),
        }
    }

    const fn reading(source: &'static str) -> Self {
        let mut script = Self::new(source);
        script.writes = false;
        script
    }

    /// What EVAL takes. SCRIPT LOAD is never used: EVAL leaves the script with whichever server answered, which on a
    /// cluster is the one that holds the key, and a user needs no right to SCRIPT.
    #[must_use]
    pub fn source(&self) -> &'static str {
        self.source
    }

    /// What EVALSHA takes.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| Sha1::from(self.source).digest().to_string())
    }

    pub(crate) fn writes(&self) -> bool {
        self.writes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_script_that_is_not_known_nothing_but_its_own_beginning_is_quoted() {
        for script in [&SET, &DELETE, &EXPIRE, &PERSIST, &PERSIST_ANY, &HEAD] {
            // What servers quote, and the quotes around it.
            assert!(
                script.source.is_ascii() && script.source.len() + 3 >= 128,
                "{}",
                script.source
            );
        }
    }
}
