//! Where a key of a cluster is.

use crate::config::Host;

/// How many slots a cluster has.
pub const SLOTS: u16 = 16_384;

/// How often one command is sent on to where its key is said to be.
pub const REDIRECTIONS: usize = 5;

/// The slot of a key: of what is between its first `{` and the `}` behind it, where there is anything, else of all of it.
///
/// ```
/// use larder_redis_common::slot_of;
///
/// assert_eq!(slot_of(b"foo"), 12_182);
/// assert_eq!(slot_of(b"{foo}:1"), slot_of(b"foo"));
/// ```
#[must_use]
pub fn slot_of(key: &[u8]) -> u16 {
    let place = |of: u8, from: usize| key[from..].iter().position(|&byte| byte == of).map(|at| from + at);
    let tag = place(b'{', 0).and_then(|open| Some((open + 1, place(b'}', open + 1)?)));
    let hashed = match tag {
        Some((from, to)) if from < to => &key[from..to],
        _ => key,
    };
    crc16(hashed) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

/// Where a node says that a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are the protocol's")]
pub enum Redirection {
    /// At this server, with all of its slot.
    Moved(Host),
    /// At this server for now, which has to be asked.
    Ask(Host),
}

impl Redirection {
    /// Reads `MOVED 7638 127.0.0.1:7001` and `ASK 7638 127.0.0.1:7001`, as the node named `by` answers.
    #[must_use]
    pub fn parse(details: &str, by: &str) -> Option<Self> {
        let mut words = details.split(' ');
        let (code, address) = (words.next()?, words.nth(1)?);
        let (name, port) = address.rsplit_once(':')?;
        // A node that does not know the other's name means its own.
        let name = if name.is_empty() { by } else { name };
        let host = Host::new(name, port.parse().ok()?);
        match code {
            "MOVED" => Some(Self::Moved(host)),
            "ASK" => Some(Self::Ask(host)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_that_servers_compute() {
        // Answers of CLUSTER KEYSLOT.
        for (key, slot) in [
            ("", 0),
            ("123456789", 12_739),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("foo{bar}{zap}", 5_061),
            ("{user1000}.following", 3_443),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key:?}");
        }
        assert_eq!(slot_of(b"open{only"), crc16(b"open{only") % SLOTS);
    }

    #[test]
    fn redirections_name_the_server() {
        let parse = |details| Redirection::parse(details, "here");
        assert_eq!(
            parse("MOVED 7638 127.0.0.1:7001"),
            Some(Redirection::Moved(Host::new("127.0.0.1", 7001)))
        );
        assert_eq!(
            parse("ASK 7638 ::1:7001"),
            Some(Redirection::Ask(Host::new("::1", 7001)))
        );
        assert_eq!(
            parse("MOVED 1 :7001"),
            Some(Redirection::Moved(Host::new("here", 7001)))
        );
        for other in ["MOVED", "MOVED 1", "MOVED 1 a", "ERR 1 a:1", "MOVED 1 a:port", ""] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
