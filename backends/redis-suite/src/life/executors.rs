//! The same calls from every executor.

use std::{
    cell::RefCell,
    sync::mpsc::{Sender, channel},
    time::Duration,
};

use futures::{FutureExt, future::join_all};
use larder::{CacheBackend, ErrorKind, Result, SetItem};
use larder_redis_common::RedisConfig;
use testkit::RedisServer;

use crate::{
    Client,
    support::{block_on, config, forever, round_trip},
};

async fn connected<C: Client>(config: RedisConfig) -> C::Backend {
    C::from_config_strict(config).await.unwrap().backend()
}

pub(crate) fn smol_makes_and_uses_a_backend<C: Client>() {
    let server = RedisServer::start();
    smol::block_on(async {
        let backend = connected::<C>(config(&server, true)).await;
        // On another thread of another executor, with a deadline on every call.
        smol::unblock(move || smol::block_on(round_trip(&backend, "smol"))).await;
    });
}

pub(crate) fn a_plain_block_on_makes_and_uses_a_backend<C: Client>() {
    let server = RedisServer::start();
    block_on(async {
        let backend = connected::<C>(config(&server, true)).await;
        round_trip(&backend, "plain").await;
    });
}

pub(crate) fn a_multi_thread_tokio_makes_a_backend_that_others_use<C: Client>() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let backend = runtime.block_on(connected::<C>(config(&server, true)));
    runtime.block_on(round_trip(&backend, "tokio"));
    block_on(round_trip(&backend, "tokio"));
    smol::block_on(round_trip(&backend, "tokio"));
}

pub(crate) fn a_current_thread_tokio_makes_a_backend_that_others_use_while_it_is_idle<C: Client>() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let backend = runtime.block_on(connected::<C>(config(&server, true)));
    runtime.block_on(round_trip(&backend, "tokio"));
    block_on(round_trip(&backend, "tokio"));
    drop(runtime);
    smol::block_on(round_trip(&backend, "tokio"));
}

pub(crate) fn a_tokio_without_timers_or_sockets_makes_a_backend_on_a_runtime_of_its_own<C: Client>() {
    let server = RedisServer::start();
    let build = |drivers: &dyn Fn(&mut tokio::runtime::Builder)| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        drivers(builder.worker_threads(1));
        builder.build().unwrap()
    };
    for runtime in [
        build(&|_| ()),
        build(&|builder| {
            builder.enable_time();
        }),
        build(&|builder| {
            builder.enable_io();
        }),
    ] {
        let backend = runtime.block_on(connected::<C>(config(&server, true)));
        runtime.block_on(round_trip(&backend, "tokio"));
        // The background thread is the manager's own.
        drop(runtime);
        smol::block_on(round_trip(&backend, "tokio"));
    }
}

pub(crate) fn a_backend_may_be_dropped_inside_any_runtime<C: Client>() {
    let server = RedisServer::start();
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let backend = connected::<C>(config(&server, true)).await;
            round_trip(&backend, "dropped").await;
            drop(backend);
        });
    }
    smol::block_on(async { drop(connected::<C>(config(&server, true)).await) });
}

pub(crate) fn a_static_outlives_the_runtime_that_touched_it_first<C: Client>() {
    let server = RedisServer::start();
    let manager = {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        C::from_config_lazy(config(&server, true)).unwrap()
    };
    let backend = manager.backend();
    crate::support::eventually("the lazy connection is made", || block_on(manager.ping()).is_ok());
    block_on(round_trip(&backend, "static"));
}

pub(crate) fn a_wait_that_blocks_inside_a_task_that_has_used_up_its_turn_ends<C: Client>() {
    let server = RedisServer::start();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let backend = connected::<C>(config(&server, true)).await;
        for _ in 0..1_000 {
            let _ = futures::poll!(std::pin::pin!(tokio::task::consume_budget()));
        }
        let call = async {
            round_trip(&backend, "blocking").await;
            true
        };
        let limit = async {
            smol::Timer::after(Duration::from_secs(20)).await;
            false
        };
        assert!(
            smol::block_on(smol::future::or(call, limit)),
            "the call was put off for ever"
        );
    });
}

pub(crate) fn calls_after_the_end_of_a_shared_runtime_are_errors_and_no_panics<C: Client>() {
    let server = RedisServer::start();
    for used in [true, false] {
        let runtime = crate::support::runtime(2);
        let manager = runtime.block_on(async {
            let manager = C::from_config_strict(config(&server, true)).await.unwrap();
            if used {
                manager.ping().await.unwrap();
            }
            manager
        });
        drop(runtime);
        let backend = manager.backend();
        block_on(async {
            assert!(backend.get("k").await.unwrap_err().is_unavailable());
            // Those that go together too.
            for found in join_all((0..20).map(|_| backend.get("k"))).await {
                assert!(found.unwrap_err().is_unavailable());
            }
            assert!(
                backend
                    .get_many(&["k", "l"])
                    .await
                    .remove(1)
                    .unwrap_err()
                    .is_unavailable()
            );
            assert!(backend.head("k", 1).await.unwrap_err().is_unavailable());
            let items = vec![SetItem::new("k", "v", forever())];
            assert!(backend.set_many(items).await.remove(0).unwrap_err().is_unavailable());
            assert!(manager.ping().await.unwrap_err().is_unavailable());
            let mut pages = std::pin::pin!(backend.scan("*"));
            let page = futures::StreamExt::next(&mut pages).await.unwrap();
            assert!(page.unwrap_err().is_unavailable());
            manager.close().await;
        });
        assert!(manager.ping_blocking().is_err());
        manager.close_blocking();
    }
}

/// Reads a key as the thread that has it ends, and sends what comes of it.
struct Late<B: CacheBackend>(B, Sender<Option<Result<()>>>);

impl<B: CacheBackend> Drop for Late<B> {
    fn drop(&mut self) {
        // Where it needs no runtime it goes out, and may even be answered.
        if let Some(Err(error)) = self.0.get("k").now_or_never() {
            self.1.send(Some(Err(error))).unwrap();
        }
        let answer = self.0.head("k", 1).now_or_never();
        self.1.send(answer.map(|answer| answer.map(|_| ()))).unwrap();
        let batch = self.0.get_many(&["k", "l"]).now_or_never();
        let second = batch.map(|mut answers| answers.remove(1).map(|_| ()));
        self.1.send(second).unwrap();
    }
}

thread_local! {
    static LATE: RefCell<Option<Box<dyn std::any::Any>>> = const { RefCell::new(None) };
}

pub(crate) fn a_call_of_a_thread_that_ends_is_a_connection_error<C: Client>() {
    let server = RedisServer::start();
    let backend = block_on(connected::<C>(config(&server, true)));
    let (sender, late) = channel();
    std::thread::spawn(move || {
        // What a thread used last it drops first: those of the runtime go before this one.
        LATE.with_borrow_mut(|late| *late = Some(Box::new(Late(backend.clone(), sender))));
        smol::block_on(backend.get("k")).unwrap();
    })
    .join()
    .unwrap();
    for answer in late {
        let error = answer.expect("it is answered at once").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(
            error.message().contains("the thread that makes the call is ending"),
            "{error}"
        );
    }
}
