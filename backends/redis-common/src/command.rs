//! The commands that a cache's calls are made of, and what servers answer.

use bytes::Bytes;

use crate::script::{Script, Sending};

/// A command, for the client to put in its own words.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "a client has to know each command")]
pub enum Command {
    /// GET.
    Get {
        /// The key.
        key: Bytes,
    },
    /// MGET, of keys that one node has.
    GetMany {
        /// The keys, one at the least.
        keys: Vec<Bytes>,
    },
    /// SET, answered by nil where the condition does not hold.
    Set {
        /// The key.
        key: Bytes,
        /// The value.
        value: Bytes,
        /// PX, or none for ever.
        millis: Option<i64>,
        /// NX.
        if_absent: bool,
    },
    /// UNLINK of one key.
    Unlink {
        /// The key.
        key: Bytes,
    },
    /// UNLINK of several, that one node has.
    UnlinkMany {
        /// The keys, one at the least.
        keys: Vec<Bytes>,
    },
    /// PEXPIRE.
    Expire {
        /// The key.
        key: Bytes,
        /// The life.
        millis: i64,
    },
    /// A script on one key.
    Script {
        /// The script.
        script: &'static Script,
        /// The key.
        key: Bytes,
        /// Its arguments.
        args: Vec<Bytes>,
        /// By which command it is sent.
        sending: Sending,
    },
}

/// What a server answered, errors aside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are the protocol's")]
pub enum Reply {
    /// Nothing.
    Nil,
    /// OK, from a client that tells it from a string of these letters.
    Okay,
    /// A number.
    Integer(i64),
    /// A string, in memory of its own: a slice of a connection's buffer would keep all of that.
    Bytes(Bytes),
    /// Several.
    Array(Vec<Self>),
    /// Anything that no command of a cache's is answered by.
    Other,
}

impl Command {
    /// The key whose node the command goes to.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Get { key }
            | Self::Set { key, .. }
            | Self::Unlink { key }
            | Self::Expire { key, .. }
            | Self::Script { key, .. } => key,
            Self::GetMany { keys } | Self::UnlinkMany { keys } => keys.first().map_or(&[], |key| key),
        }
    }

    /// Tells whether it changes anything, so that nobody knows what became of it when no answer comes.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Get { .. } | Self::GetMany { .. } => false,
            Self::Script { script, .. } => script.writes(),
            _ => true,
        }
    }
}
