//! What happens that is no call.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{executor::block_on, poll};
use larder::{
    Breaker, Cache, CacheBackend, ErrorKind, Event, Expiry, Fallback, Hook, LoadOptions, Loaded, ManualClock,
    SetOptions,
};
use larder_memory::MemoryBackend;

use crate::record::Record;

async fn write(backend: &impl CacheBackend, key: &str) {
    let forever = SetOptions::new(Expiry::Never);
    backend.set(key, Bytes::from("value"), forever).await.unwrap();
}

#[test]
fn hooks_of_a_breaker_are_told_of_every_state() {
    let (clock, record) = (ManualClock::new(), Record::default());
    let store = MemoryBackend::with_clock(clock.clone());
    let backend = Breaker::builder(store.clone())
        .failures(1)
        .clock(clock.clone())
        .name("users")
        .hook(record.clone())
        .build()
        .unwrap();
    block_on(async {
        store.faults().fail_all(ErrorKind::Timeout);
        backend.get("k").await.unwrap_err();
        store.faults().recover();
        clock.advance(Duration::from_secs(1));
        backend.get("k").await.unwrap();
    });
    let changed = |state| format!(r#"BreakerChanged {{ cache: "users", state: {state}, .. }}"#);
    assert_eq!(record.events(), ["Open", "HalfOpen", "Closed"].map(changed));
}

#[test]
fn hooks_of_a_fallback_layer_are_told_of_its_sides_and_of_its_journal() {
    let record = Record::default();
    let store = MemoryBackend::new();
    let backend = Fallback::builder(store.clone(), MemoryBackend::new())
        .journal_capacity(2)
        .without_background()
        .name("users")
        .hook(record.clone())
        .build()
        .unwrap();
    block_on(async {
        store.faults().fail_all(ErrorKind::Connection);
        for key in ["app:1", "app:2", "app:3"] {
            write(&backend, key).await;
        }
        store.faults().recover();
        backend.replay().await.unwrap();
    });
    let of = |name: &str, rest: &str| format!(r#"{name} {{ cache: "users"{rest}, .. }}"#);
    assert_eq!(
        record.events(),
        [
            of("FallbackSwitched", ", state: Secondary"),
            of("JournalOverflowed", ""),
            of("FallbackSwitched", ", state: Replaying"),
            of("JournalReplayed", ", entries: 2"),
            of("JournalReplayed", ", entries: 1"),
            of("FallbackSwitched", ", state: Primary"),
        ]
    );
}

#[test]
fn hooks_are_told_of_a_wait_for_another_process() {
    let (clock, record) = (ManualClock::new(), Record::default());
    let store = MemoryBackend::with_clock(clock.clone());
    let process = || {
        Cache::builder(store.clone())
            .clock(clock.clone())
            .load_options(LoadOptions::new().lease("1s"))
            .hook(record.clone())
            .build()
            .unwrap()
    };
    let (holder, waiter) = (process(), process());
    let options = LoadOptions::new();
    block_on(async {
        let never = || std::future::pending::<Result<Loaded<u32>, ()>>();
        let mut holds = Box::pin(holder.remember_with("k", 60, &options, never));
        assert!(poll!(&mut holds).is_pending());
        let load = || async { Ok::<_, ()>(Loaded::value(1_u32)) };
        let mut waits = Box::pin(waiter.remember_with("k", 60, &options, load));
        while poll!(&mut waits).is_pending() {
            clock.advance(Duration::from_millis(100));
        }
    });
    let events = record.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].contains("outcome: TakenOver"), "{events:?}");
}

/// A hook that is told of a change may ask the layer what it is now.
#[test]
fn hooks_of_layers_are_told_while_no_lock_is_held() {
    type Layers = Fallback<Breaker<MemoryBackend>, MemoryBackend>;

    struct Asks(Arc<parking_lot::Mutex<Option<Layers>>>);

    impl Hook for Asks {
        fn event(&self, _event: &Event<'_>) {
            let backend = self.0.lock().clone();
            if let Some(backend) = backend {
                let _ = (backend.state(), backend.journal(), backend.primary().state());
                let _ = block_on_other_thread(backend);
            }
        }
    }

    fn block_on_other_thread(backend: Layers) -> bool {
        std::thread::spawn(move || block_on(backend.get("k")).is_ok())
            .join()
            .unwrap()
    }

    let asked = Arc::default();
    let hook = Arc::new(Asks(Arc::clone(&asked)));
    let store = MemoryBackend::new();
    let breaker = Breaker::builder(store.clone())
        .failures(1)
        .hook(Arc::clone(&hook))
        .build()
        .unwrap();
    let backend = Fallback::builder(breaker, MemoryBackend::new())
        .journal_capacity(1)
        .without_background()
        .hook(hook)
        .build()
        .unwrap();
    *asked.lock() = Some(backend.clone());
    block_on(async {
        store.faults().fail_all(ErrorKind::Connection);
        write(&backend, "app:1").await;
        write(&backend, "app:2").await;
        assert!(backend.get("app:1").await.unwrap().is_some());
    });
    asked.lock().take();
}
