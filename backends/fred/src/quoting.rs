//! What keeps fred from losing count of its answers in RESP2.
//!
//! Its reader takes an error that is not UTF-8 for no answer at all, and gives every later answer of the connection to the
//! call before the one it is for. A server quotes bytes where it does not know a command: those of the first arguments. So
//! no command of which it could quote bytes goes to a server that does not know it. In RESP3 fred ends the connection
//! instead.

use std::{
    str::from_utf8,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use fred::{
    clients::{Client, WithOptions},
    error::{Error as FredError, ErrorKind as FredKind},
    interfaces::{ClientLike, EventInterface},
    types::{ClusterHash, CustomCommand, RespVersion, Value, config::Options},
};
use futures::future::join_all;
use larder::ErrorKind;
use larder_redis_common::{Command, Sending};
use tokio::{
    runtime::Handle,
    sync::{broadcast::error::RecvError, watch},
    task::AbortHandle,
    time::timeout,
};

use crate::error;

/// How much a server quotes: the format of `commandCheckExistence` in Redis's server.c.
const QUOTED: usize = 128;

/// The commands that have words of the caller's in them.
const ASKED: [&str; 8] = ["GET", "MGET", "SET", "UNLINK", "PEXPIRE", "SCAN", "EVALSHA", "EVAL"];

/// The bit beside those of [`ASKED`] of a server that has answered.
const ANSWERED: u16 = 1 << ASKED.len();

/// What is not to be sent to a server, or not as it is.
#[derive(Debug)]
pub(crate) struct Quoting {
    is_resp2: bool,
    /// Somebody asks.
    is_asking: bool,
    /// A bit for each of [`ASKED`] that the server does not know, and whether it has said so.
    unknown: AtomicU16,
    /// Tells whether the server was asked.
    asked: watch::Sender<bool>,
}

impl Quoting {
    /// For the server of `client`, which is to be asked or not.
    pub(crate) fn new(client: &Client, asks: bool) -> Self {
        let is_resp2 = client.protocol_version() == RespVersion::RESP2;
        Self {
            is_resp2,
            is_asking: is_resp2 && asks && !client.is_clustered(),
            unknown: AtomicU16::new(0),
            asked: watch::Sender::new(false),
        }
    }

    /// Waits, `limit` at the most, until the server has been asked, where it is to be.
    pub(crate) async fn asked(&self, limit: Duration) {
        if self.is_asking {
            let mut asked = self.asked.subscribe();
            // The sender is here.
            let _ = timeout(limit, asked.wait_for(|asked| *asked)).await;
        }
    }

    /// Tells whether a command is to wait until the server has been [asked](Self::asked): nothing else keeps its bytes from
    /// being quoted.
    pub(crate) fn holds(&self, command: &Command) -> bool {
        self.is_asking
            && matches!(command, Command::Set { .. })
            && self.unknown.load(Ordering::Relaxed) == 0
            && !*self.asked.borrow()
    }

    /// Makes a command safe to send, or refuses it in the server's stead.
    pub(crate) fn prepare(&self, command: &mut Command) -> Result<(), FredError> {
        if !self.is_resp2 {
            return Ok(());
        }
        self.check(match command {
            Command::Get { .. } => "GET",
            Command::GetMany { .. } => "MGET",
            Command::Set { .. } => "SET",
            Command::Unlink { .. } | Command::UnlinkMany { .. } => "UNLINK",
            Command::Expire { .. } => "PEXPIRE",
            Command::Script {
                script,
                key,
                args,
                sending,
            } => {
                let is_answered = self.unknown.load(Ordering::Relaxed) & ANSWERED != 0;
                let words = [script.hash().as_bytes(), b"1", key].into_iter();
                let words = words.chain(args.iter().map(|word| &**word));
                if self.check("EVALSHA").is_err() || !is_answered && !is_quoted_as_text(words) {
                    // Then the script itself is all that is quoted.
                    *sending = Sending::BySource;
                }
                match sending {
                    Sending::ByHash => "EVALSHA",
                    Sending::BySource => "EVAL",
                }
            }
        })
    }

    /// Refuses a command that the server does not know.
    pub(crate) fn check(&self, name: &str) -> Result<(), FredError> {
        match self.unknown.load(Ordering::Relaxed) {
            // As good as every server knows them all.
            0 | ANSWERED => Ok(()),
            unknown => refuse(unknown, name),
        }
    }

    /// Asks for as long as it takes, or until the connection is lost.
    async fn ask_until_answered(&self, client: &Client, options: &Options) -> Option<()> {
        let client = client.with_options(options);
        loop {
            match ask(&client).await {
                Ok(unknown) => {
                    self.unknown.store(unknown | ANSWERED, Ordering::Relaxed);
                    return Some(());
                }
                Err(ErrorKind::Timeout) => {
                    // Nobody waits any longer.
                    self.asked.send_replace(true);
                }
                Err(_) => return None,
            }
        }
    }

    /// Forgets what the server of a former connection knew.
    fn forget(&self) {
        self.asked.send_replace(false);
        self.unknown.store(0, Ordering::Relaxed);
    }
}

/// Asks by the names alone, with nothing to quote. It takes no rights: servers count arguments before they look at those.
/// Answers the bits of those that are unknown.
async fn ask(client: &WithOptions<Client>) -> Result<u16, ErrorKind> {
    let asked = ASKED.map(|name| {
        let alone = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
        client.custom::<Value, Value>(alone, Vec::new())
    });
    let mut unknown = 0;
    for (place, answer) in join_all(asked).await.iter().enumerate() {
        let Err(failure) = answer else { continue };
        let kind = error::kind(failure);
        if kind.is_unavailable() {
            return Err(kind);
        }
        unknown |= u16::from(failure.details().starts_with("ERR unknown command")) << place;
    }
    Ok(unknown)
}

#[cold]
fn refuse(unknown: u16, name: &str) -> Result<(), FredError> {
    let place = ASKED.iter().position(|asked| *asked == name);
    if place.is_some_and(|place| unknown & (1 << place) != 0) {
        return Err(FredError::new(
            FredKind::Unknown,
            format!("ERR unknown command '{name}'"),
        ));
    }
    Ok(())
}

/// Tells whether a server that does not know a command with these arguments would quote text: each is cut where there is no
/// room left.
fn is_quoted_as_text<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut room = QUOTED;
    words.all(|word| {
        // As a string of C, which ends at a zero.
        let word = word.split(|byte| *byte == 0).next().unwrap_or_default();
        let quoted = &word[..word.len().min(room)];
        // Two quotes and a space.
        room = room.saturating_sub(quoted.len() + 3);
        from_utf8(quoted).is_ok()
    })
}

/// Asks a server on every connection that is made to it.
pub(crate) struct Asking(AbortHandle);

impl Asking {
    /// Begins to, where it is necessary: before `client` connects, or after that.
    pub(crate) fn begin(client: &Client, quoting: &Arc<Quoting>, options: &Options, on: &Handle) -> Option<Self> {
        if !quoting.is_asking {
            return None;
        }
        let mut made = client.reconnect_rx();
        let was_made = client.is_connected();
        let (client, asked) = (client.clone(), Arc::clone(quoting));
        // Of a connection that is made fred tells before it calls itself connected.
        let options = Options {
            fail_fast: false,
            ..options.clone()
        };
        let task = on.spawn(async move {
            let mut is_made = was_made;
            // A proxy that ends the connection for such a question must not be asked on every one.
            let mut was_lost = false;
            loop {
                if is_made {
                    asked.forget();
                    was_lost = !was_lost && asked.ask_until_answered(&client, &options).await.is_none();
                    asked.asked.send_replace(true);
                }
                is_made = match made.recv().await {
                    // Its owner has ended the client, and may begin it anew.
                    Err(RecvError::Closed) => {
                        made = client.reconnect_rx();
                        false
                    }
                    _ => true,
                };
            }
        });
        Some(Self(task.abort_handle()))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_cut_after_128_bytes() {
        let hash = "0123456789012345678901234567890123456789";
        let room = QUOTED - "'' '1' '' ".len() - hash.len();
        for (key, arg, expected) in [
            ("user:1".to_owned(), &b"5000"[..], true),
            ("user:1".to_owned(), &[0xff][..], false),
            // What is behind a zero is not quoted, and takes no room.
            ("a\0".to_owned() + &"k".repeat(room), &[0xff][..], false),
            // An argument of bytes where there is room for a last one behind its quote, and none.
            ("k".repeat(room - 1), &[0xff][..], false),
            ("k".repeat(room), &[0xff][..], true),
            // A letter of two bytes, whole and cut.
            ("k".repeat(room) + "é", &[][..], true),
            ("k".repeat(room + 1) + "é", &[][..], true),
            ("k".repeat(room + 2) + "é", &[][..], false),
            ("k".repeat(room + 3) + "é", &[][..], true),
        ] {
            let words = [hash.as_bytes(), b"1", key.as_bytes(), arg];
            assert_eq!(is_quoted_as_text(words.into_iter()), expected, "{key} {arg:?}");
        }
    }
}
