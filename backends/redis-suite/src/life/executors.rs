//! The same calls from every executor.

use std::time::Duration;

use larder_redis_common::RedisConfig;
use testkit::RedisServer;

use crate::{
    Client,
    support::{config, round_trip},
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
    futures::executor::block_on(async {
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
    futures::executor::block_on(round_trip(&backend, "tokio"));
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
    futures::executor::block_on(round_trip(&backend, "tokio"));
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
    crate::support::eventually("the lazy connection is made", || {
        futures::executor::block_on(manager.ping()).is_ok()
    });
    futures::executor::block_on(round_trip(&backend, "static"));
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
