//! SCAN and UNLINK.

use larder::{CacheBackend, ErrorKind, Result, SweepListener, delete_by_scan_with, delete_listed};

use super::{Store, Wire, read::together};
use crate::{
    command::{Command, Reply},
    error::unexpected,
};

pub(super) async fn delete_matching<W: Wire>(
    store: &Store<W>,
    pattern: &str,
    progress: &SweepListener<'_>,
) -> Result<u64> {
    if store.wire.is_clustered() {
        // UNLINK takes keys of one slot, and of a page hardly two have the same.
        return delete_by_scan_with(store, pattern, progress).await;
    }
    delete_listed(store.scan(pattern), |keys| remove(store, keys), progress).await
}

async fn remove<W: Wire>(store: &Store<W>, keys: Vec<String>) -> Vec<Result<u64>> {
    match store.call("delete_many", unlink(&*store.wire, &keys)).await {
        // A key that the user may not touch is refused with all others, and takes none along where each goes alone.
        Err(error) if error.kind() == ErrorKind::Server => {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let outcomes = store.delete_many(&keys).await.into_iter();
            outcomes
                .map(|outcome| outcome.map(|outcome| u64::from(outcome.is_done())))
                .collect()
        }
        answer => vec![answer],
    }
}

async fn unlink<W: Wire>(wire: &W, keys: &[String]) -> Result<u64> {
    let permit = wire.shared().admit(1)?;
    let command = Command::UnlinkMany {
        keys: together(keys.iter().map(String::as_str)),
    };
    match wire.send(command, permit).await? {
        Reply::Integer(removed) if usize::try_from(removed).is_ok_and(|removed| removed <= keys.len()) => {
            Ok(removed.unsigned_abs())
        }
        _ => Err(unexpected("UNLINK answered no number of its keys")),
    }
}
