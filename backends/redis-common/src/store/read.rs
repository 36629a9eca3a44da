//! GET, MGET and the beginning of a value.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use arrayvec::ArrayVec;
use bytes::Bytes;
use futures::future::join_all;
use larder::{Entry, Error, Head, KeyTtl, Result};

use super::{WINDOW, Wire};
use crate::{
    command::{Command, Reply},
    error::unexpected,
    flight::Permit,
    script::{self, Sending},
    slot::slot_of,
};

/// Keys up to this length take one allocation.
type ShortKey = ArrayVec<u8, 120>;

pub(super) async fn get<W: Wire>(wire: &W, prefix: &str, key: &str) -> Result<Option<Entry>> {
    let permit = wire.shared().admit(1)?;
    let answer = wire.get(joined(prefix, key), permit).await;
    entry(wrong_type_as_missing(wire, answer)?)
}

/// A key, in one allocation where it is short, which clones share: a client clones it to write it, and a `Vec`'s bytes would
/// need another one for that.
pub(super) fn owned(key: &str) -> Bytes {
    joined("", key)
}

/// [`owned`] for a key of two parts.
fn joined(prefix: &str, key: &str) -> Bytes {
    let mut short = ShortKey::new();
    let [prefix, key] = [prefix.as_bytes(), key.as_bytes()];
    if short.try_extend_from_slice(prefix).is_ok() && short.try_extend_from_slice(key).is_ok() {
        return Bytes::from_owner(short);
    }
    Bytes::from([prefix, key].concat())
}

fn entry(reply: Reply) -> Result<Option<Entry>> {
    match reply {
        Reply::Bytes(bytes) => Ok(Some(Entry::new(bytes))),
        Reply::Nil => Ok(None),
        _ => Err(unexpected("a value is no bytes")),
    }
}

pub(super) async fn get_many<W: Wire>(wire: &W, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
    if wire.is_clustered() {
        return get_spread(wire, keys).await;
    }
    let mut permit = match wire.shared().admit(keys.len().div_ceil(WINDOW)) {
        Ok(permit) => permit,
        Err(error) => return keys.iter().map(|_| Err(error.clone())).collect(),
    };
    if (1..=WINDOW).contains(&keys.len()) {
        return get_group(wire, permit, keys).await;
    }
    let windows = keys.chunks(WINDOW);
    let found = join_all(windows.map(|keys| get_group(wire, permit.part(), keys))).await;
    found.into_iter().flatten().collect()
}

/// Reads keys that are spread over several servers.
async fn get_spread<W: Wire>(wire: &W, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
    let groups = groups(keys);
    let mut permit = match wire.shared().admit(groups.len()) {
        Ok(permit) => permit,
        Err(error) => return keys.iter().map(|_| Err(error.clone())).collect(),
    };
    let mut answers: Vec<Option<Result<Option<Entry>>>> = keys.iter().map(|_| None).collect();
    // There may be a command for each key; a window bounds the memory of those under way.
    for window in groups.chunks(WINDOW) {
        let found = window.iter().map(|group| {
            let permit = permit.part();
            async move {
                let keys: Vec<&str> = group.iter().map(|&place| keys[place]).collect();
                get_group(wire, permit, &keys).await
            }
        });
        for (group, found) in window.iter().zip(join_all(found).await) {
            for (&place, entry) in group.iter().zip(found) {
                answers[place] = Some(entry);
            }
        }
    }
    answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(|| Err(unexpected("MGET left out a key"))))
        .collect()
}

/// The places of `keys`, grouped into what one MGET to a cluster may ask for: keys of one hash slot.
fn groups(keys: &[&str]) -> Vec<Vec<usize>> {
    let mut slots: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (place, key) in keys.iter().enumerate() {
        slots.entry(slot_of(key.as_bytes())).or_default().push(place);
    }
    let windows = slots.values().flat_map(|places| places.chunks(WINDOW));
    windows.map(<[usize]>::to_vec).collect()
}

/// Reads keys by one MGET.
async fn get_group<W: Wire>(wire: &W, permit: Permit, keys: &[&str]) -> Vec<Result<Option<Entry>>> {
    let command = Command::GetMany {
        keys: together(keys.iter().copied()),
    };
    let answer = wire.send(command, permit).await;
    match answer.and_then(|reply| several(reply, keys.len())) {
        Ok(found) => found.into_iter().map(entry).collect(),
        Err(error) if keys.len() > 1 && is_of_one_key(error.message()) => {
            join_all(keys.iter().map(|key| get_one(wire, key))).await
        }
        Err(error) => keys.iter().map(|_| Err(error.clone())).collect(),
    }
}

/// Tells whether some key alone keeps the others from being answered. Of a slot that is on its way to another node none
/// has all keys, and each knows where one is; a key that the user may not read is refused with all that are asked with it.
fn is_of_one_key(words: &str) -> bool {
    words.starts_with("TRYAGAIN") || words.starts_with("NOPERM") && words.contains("to access")
}

async fn get_one<W: Wire>(wire: &W, key: &str) -> Result<Option<Entry>> {
    let permit = wire.shared().admit(1)?;
    let keys = vec![owned(key)];
    let answer = wire.send(Command::GetMany { keys }, permit).await?;
    let found = several(answer, 1)?.pop();
    entry(found.ok_or_else(|| unexpected("MGET left out a key"))?)
}

/// Many keys in one allocation.
pub(super) fn together<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Vec<Bytes> {
    let mut all = Vec::with_capacity(keys.clone().map(str::len).sum());
    keys.clone().for_each(|key| all.extend_from_slice(key.as_bytes()));
    let all = Bytes::from(all);
    let mut start = 0;
    keys.map(|key| {
        let end = start + key.len();
        all.slice(std::mem::replace(&mut start, end)..end)
    })
    .collect()
}

fn several(reply: Reply, expected: usize) -> Result<Vec<Reply>> {
    match reply {
        Reply::Array(found) if found.len() == expected => Ok(found),
        _ => Err(unexpected("MGET answered another number of values than keys")),
    }
}

pub(super) async fn head<W: Wire>(wire: &W, key: &str, n: usize) -> Result<Option<Head>> {
    let permit = wire.shared().admit(1)?;
    let last = i64::try_from(n).unwrap_or(i64::MAX) - 1;
    let command = Command::Script {
        script: &script::HEAD,
        key: owned(key),
        args: vec![last.to_string().into()],
        sending: Sending::ByHash,
    };
    let answer = wire.send(command, permit).await;
    match wrong_type_as_missing(wire, answer)? {
        Reply::Nil => Ok(None),
        Reply::Array(parts) => match parts.as_slice() {
            [Reply::Bytes(bytes), Reply::Integer(len), Reply::Integer(millis)] => Ok(Some(Head::new(
                bytes.clone(),
                u64::try_from(*len).unwrap_or(0),
                remaining(*millis),
            ))),
            _ => Err(unexpected("the head of a value has other parts than asked for")),
        },
        _ => Err(unexpected("the head of a value is no array")),
    }
}

/// Takes WRONGTYPE for a missing key, and counts it.
fn wrong_type_as_missing<W: Wire>(wire: &W, answer: Result<Reply>) -> Result<Reply> {
    let wrong_type = |error: &Error| error.message().starts_with("WRONGTYPE");
    if answer.as_ref().is_err_and(wrong_type) {
        wire.shared().wrong_types.fetch_add(1, Ordering::Relaxed);
        return Ok(Reply::Nil);
    }
    answer
}

/// PTTL's answer for a key that exists. A key in its last instant has 0 ms left and is still there.
fn remaining(millis: i64) -> KeyTtl {
    match u64::try_from(millis) {
        Ok(millis) => KeyTtl::Expires(Duration::from_millis(millis.max(1))),
        Err(_) => KeyTtl::Persistent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_whole_however_long_its_parts_are() {
        for len in [0, 1, 119, 120, 121, 5_000] {
            let key: String = ('a'..='z').cycle().take(len).collect();
            for split in [0, 1, 60, 119, 120, len] {
                let (prefix, rest) = key.split_at(split.min(len));
                assert_eq!(joined(prefix, rest), key);
            }
        }
    }

    #[test]
    fn no_mget_asks_for_more_than_a_window_and_each_key_is_asked_for_once() {
        let names: Vec<String> = (0..3 * WINDOW).map(|i| format!("{{tag}}{i}")).collect();
        let mut keys: Vec<&str> = names.iter().map(String::as_str).collect();
        keys.insert(7, "elsewhere");
        let groups = groups(&keys);
        assert_eq!(groups.len(), 4);
        assert!(groups.iter().all(|group| group.len() <= WINDOW));
        let mut places = groups.concat();
        places.sort_unstable();
        assert_eq!(places, (0..keys.len()).collect::<Vec<_>>());
    }
}
