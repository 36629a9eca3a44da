//! Every call of a cache, with what hooks are told of it.

use std::collections::HashMap;

use futures::{FutureExt, StreamExt, future::BoxFuture};
use larder::{Cache, LoadOptions, Loaded, OnError, OperationKind, cached};
use larder_memory::MemoryBackend;

pub(crate) type Memory = Cache<MemoryBackend>;

/// One call.
pub(crate) struct Row {
    pub(crate) kind: OperationKind,
    /// Makes the call on a cache that has `k`; answers whether it succeeded.
    pub(crate) run: fn(Memory) -> BoxFuture<'static, bool>,
    /// What is told where the backend answers, and where it is away.
    pub(crate) success: &'static str,
    pub(crate) failure: &'static str,
    /// What is told where the future is dropped while the backend holds its first answer back.
    pub(crate) cancelled: &'static str,
    /// A failed part does not fail the call: `*_results` answer for each key.
    pub(crate) answers_failures: bool,
}

struct Function {
    cache: Memory,
}

impl Function {
    #[cached(cache = self.cache, key = "k", ttl = "1h")]
    async fn value(&self) -> u32 {
        std::future::ready(1).await
    }
}

macro_rules! row {
    ($kind:ident, $success:literal, $failure:literal, $cancelled:literal, |$cache:ident| $call:expr) => {
        Row {
            kind: OperationKind::$kind,
            run: |$cache| async move { $call }.boxed(),
            success: $success,
            failure: $failure,
            cancelled: $cancelled,
            answers_failures: false,
        }
    };
}

/// A key that `k` is the first of.
pub(crate) async fn prepared(cache: &Memory) {
    cache.set("k", &1_u32, 60).await.unwrap();
}

fn raising() -> LoadOptions {
    LoadOptions::new().on_error(OnError::Raise)
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn rows() -> Vec<Row> {
    let results = |row: Row| Row {
        answers_failures: true,
        ..row
    };
    vec![
        row!(
            Get,
            "get[backend_get:hit]:hit",
            "get[backend_get:failed]:failed",
            "get[backend_get:cancelled]:cancelled",
            |cache| cache.get::<u32>("k").await.is_ok()
        ),
        row!(
            GetShared,
            "get_shared[backend_get:hit]:hit",
            "get_shared[backend_get:failed]:failed",
            "get_shared[backend_get:cancelled]:cancelled",
            |cache| cache.get_shared::<u32>("k").await.is_ok()
        ),
        row!(
            Lookup,
            "lookup[backend_get:hit]:hit",
            "lookup[backend_get:failed]:failed",
            "lookup[backend_get:cancelled]:cancelled",
            |cache| cache.lookup::<u32>("k").await.is_ok()
        ),
        row!(
            Peek,
            "peek[backend_get:hit]:hit",
            "peek[backend_get:failed]:failed",
            "peek[backend_get:cancelled]:cancelled",
            |cache| Function { cache }.value_peek().await.is_ok()
        ),
        row!(
            GetMany,
            "get_many[backend_get_many:mixed]:mixed",
            "get_many[backend_get_many:failed]:failed",
            "get_many[backend_get_many:cancelled]:cancelled",
            |cache| cache.get_many::<u32>(["k", "none"]).await.is_ok()
        ),
        results(row!(
            GetManyResults,
            "get_many_results[backend_get_many:hit]:hit",
            "get_many_results[backend_get_many:failed]:failed",
            "get_many_results[backend_get_many:cancelled]:cancelled",
            |cache| cache.get_many_results::<u32>(["k"]).await.len() == 1
        )),
        row!(
            Exists,
            "exists[backend_head:hit]:hit",
            "exists[backend_head:failed]:failed",
            "exists[backend_head:cancelled]:cancelled",
            |cache| cache.exists("k").await.is_ok()
        ),
        row!(
            Ttl,
            "ttl[backend_head:hit]:hit",
            "ttl[backend_head:failed]:failed",
            "ttl[backend_head:cancelled]:cancelled",
            |cache| cache.pttl("k").await.is_ok()
        ),
        row!(
            Pull,
            "pull[backend_get:hit backend_delete:done]:hit",
            "pull[backend_get:failed]:failed",
            "pull[backend_get:cancelled]:cancelled",
            |cache| cache.pull::<u32>("k").await.is_ok()
        ),
        row!(
            Set,
            "set[backend_set:done]:done",
            "set[backend_set:failed]:failed",
            "set[backend_set:cancelled]:cancelled",
            |cache| cache.set("k", &2, 60).await.is_ok()
        ),
        row!(
            Add,
            "add[backend_set:unchanged backend_head:hit]:unchanged",
            "add[backend_set:failed]:failed",
            "add[backend_set:cancelled]:cancelled",
            |cache| cache.add("k", &2, 60).await.is_ok()
        ),
        row!(
            Replace,
            "replace[backend_head:hit backend_set:done]:done",
            "replace[backend_head:failed]:failed",
            "replace[backend_head:cancelled]:cancelled",
            |cache| cache.replace("k", &2, 60).await.is_ok()
        ),
        row!(
            SetMany,
            "set_many[backend_set_many:done]:done",
            "set_many[backend_set_many:failed]:failed",
            "set_many[backend_set_many:cancelled]:cancelled",
            |cache| cache.set_many([("a", 1), ("b", 2)], 60).await.is_ok()
        ),
        results(row!(
            SetManyResults,
            "set_many_results[backend_set_many:done]:done",
            "set_many_results[backend_set_many:failed]:failed",
            "set_many_results[backend_set_many:cancelled]:cancelled",
            |cache| cache.set_many_results([("a", 1), ("b", 2)], 60).await.is_ok()
        )),
        row!(
            Delete,
            "delete[backend_delete:done]:done",
            "delete[backend_delete:failed]:failed",
            "delete[backend_delete:cancelled]:cancelled",
            |cache| cache.delete("k").await.is_ok()
        ),
        row!(
            DeleteMany,
            "delete_many[backend_delete_many:mixed]:mixed",
            "delete_many[backend_delete_many:failed]:failed",
            "delete_many[backend_delete_many:cancelled]:cancelled",
            |cache| cache.delete_many(["k", "none"]).await.is_ok()
        ),
        results(row!(
            DeleteManyResults,
            "delete_many_results[backend_delete_many:done]:done",
            "delete_many_results[backend_delete_many:failed]:failed",
            "delete_many_results[backend_delete_many:cancelled]:cancelled",
            |cache| cache.delete_many_results(["k"]).await.len() == 1
        )),
        row!(
            DeletePattern,
            "delete_pattern[backend_delete_matching:done]:done",
            "delete_pattern[backend_delete_matching:failed]:failed",
            "delete_pattern[backend_delete_matching:cancelled]:cancelled",
            |cache| cache.delete_pattern("*").await.is_ok()
        ),
        row!(
            Clear,
            "clear[backend_delete_matching:done]:done",
            "clear[backend_delete_matching:failed]:failed",
            "clear[backend_delete_matching:cancelled]:cancelled",
            |cache| cache.clear().await.is_ok()
        ),
        row!(
            ClearDatabase,
            "clear_database[backend_delete_matching:done]:done",
            "clear_database[backend_delete_matching:failed]:failed",
            "clear_database[backend_delete_matching:cancelled]:cancelled",
            |cache| cache.clear_database().await.is_ok()
        ),
        row!(
            Keys,
            "keys[backend_scan:done backend_scan:unchanged]:done",
            "keys[backend_scan:failed]:failed",
            "keys[backend_scan:cancelled]:cancelled",
            |cache| cache.keys("*").all(|key| async move { key.is_ok() }).await
        ),
        row!(
            Expire,
            "expire[backend_head:hit backend_expire:done]:done",
            "expire[backend_head:failed]:failed",
            "expire[backend_head:cancelled]:cancelled",
            |cache| cache.expire("k", 10).await.is_ok()
        ),
        row!(
            Touch,
            "touch[backend_head:hit backend_expire:done]:done",
            "touch[backend_head:failed]:failed",
            "touch[backend_head:cancelled]:cancelled",
            |cache| cache.touch("k").await.is_ok()
        ),
        row!(
            Persist,
            "persist[backend_head:hit backend_persist:done]:done",
            "persist[backend_head:failed]:failed",
            "persist[backend_head:cancelled]:cancelled",
            |cache| cache.persist("k").await.is_ok()
        ),
        row!(
            Remember,
            "remember[backend_get:miss backend_set:done load:loaded backend_set:done]:loaded",
            "remember[backend_get:failed]:failed",
            "remember[backend_get:cancelled]:cancelled",
            |cache| {
                let load = async || Ok::<_, ()>(Loaded::value(2_u32));
                cache.remember_with("new", 60, &raising(), load).await.is_ok()
            }
        ),
        row!(
            RememberMany,
            "remember_many[backend_get_many:mixed backend_set_many:done load:loaded backend_set_many:done]:mixed",
            "remember_many[backend_get_many:failed]:failed",
            "remember_many[backend_get_many:cancelled]:cancelled",
            |cache| {
                let load = |missing: Vec<String>| async {
                    Ok::<_, ()>(
                        missing
                            .into_iter()
                            .map(|key| (key, Loaded::value(2_u32)))
                            .collect::<HashMap<_, _>>(),
                    )
                };
                let keys = ["k".to_owned(), "new".to_owned()];
                (cache
                    .remember_many_with(keys, String::clone, 60, &raising(), load)
                    .await)
                    .is_ok()
            }
        ),
        row!(
            RememberDetached,
            "remember_detached[backend_get:miss detached_load[backend_set:done load:loaded backend_set:done]:loaded]:loaded",
            "remember_detached[backend_get:failed]:failed",
            "remember_detached[backend_get:cancelled]:cancelled",
            |cache| {
                let load = || async { Ok::<_, ()>(Loaded::value(2_u32)) };
                cache.remember_detached("new", 60, &raising(), load).await.is_ok()
            }
        ),
    ]
}
