//! Hooks that panic, that are slow, and that call the cache.

use std::{
    any::Any,
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use futures::executor::block_on;
use larder::{
    BlockingCache, Cache, Ending, ErrorKind, Event, FallbackPolicy, Hook, HookSpan, Operation, OperationKind,
};
use larder_memory::MemoryBackend;
use parking_lot::Mutex;

use crate::{
    record::Record,
    table::{Memory, prepared, rows},
};

/// Does the same wherever it is called, and counts.
#[derive(Clone)]
struct Everywhere {
    acts: Arc<dyn Fn() + Send + Sync>,
    calls: Arc<AtomicUsize>,
}

impl Everywhere {
    fn new(acts: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            acts: Arc::new(acts),
            calls: Arc::default(),
        }
    }

    fn act(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        (self.acts)();
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Hook for Everywhere {
    fn start(&self, _operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        let span = Box::new(Span(self.clone()));
        self.act();
        Some(span)
    }

    fn finish(&self, _operation: &Operation<'_>, _ending: &Ending<'_>) {
        self.act();
    }

    fn event(&self, _event: &Event<'_>) {
        self.act();
    }
}

struct Span(Everywhere);

impl HookSpan for Span {
    fn child(&self, _operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        let span = Box::new(Self(self.0.clone()));
        self.0.act();
        Some(span)
    }

    fn enter(&self) -> Option<Box<dyn Any>> {
        self.0.act();
        None
    }

    fn finish(self: Box<Self>, _ending: &Ending<'_>) {
        self.0.act();
    }
}

/// Panics where it is asked what it wants, and where its spans are dropped.
struct WorstOfAll;

impl Hook for WorstOfAll {
    fn wants(&self, kind: OperationKind) -> bool {
        assert!(kind != OperationKind::Get, "on purpose");
        true
    }

    fn start(&self, _operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        Some(Box::new(PanicsWhenDropped))
    }
}

struct PanicsWhenDropped;

impl HookSpan for PanicsWhenDropped {
    fn enter(&self) -> Option<Box<dyn Any>> {
        Some(Box::new(Self))
    }
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

fn watched(hooks: impl IntoIterator<Item = Arc<dyn Hook>>) -> (MemoryBackend, Memory) {
    let backend = MemoryBackend::new();
    let cache = Cache::builder(backend.clone())
        .prefix("app")
        .default_ttl("1m")
        .fallback(FallbackPolicy::ReturnNone)
        .build()
        .unwrap()
        .with_hooks(hooks);
    block_on(prepared(&cache.with_hooks([])));
    (backend, cache)
}

/// Every call of the table, on a backend that answers and on one that is away, ends as it does without the hook.
fn goes_on_with(hook: &Arc<dyn Hook>) {
    for row in rows() {
        let last = Record::default();
        let (backend, cache) = watched([Arc::clone(hook), Arc::new(last.clone())]);
        assert!(block_on((row.run)(cache.clone())), "{:?}", row.kind);
        assert_eq!(last.take(), row.success, "the hook after it hears everything");
        backend.faults().fail_all(ErrorKind::Connection);
        let (_, plain) = watched([]);
        plain.backend().faults().fail_all(ErrorKind::Connection);
        assert_eq!(block_on((row.run)(cache)), block_on((row.run)(plain)), "{:?}", row.kind);
    }
}

#[test]
fn hooks_that_panic_wherever_they_are_called_break_nothing() {
    let hook = Everywhere::new(|| panic!("on purpose"));
    goes_on_with(&(Arc::new(hook.clone()) as _));
    assert!(hook.calls() > 100);
    goes_on_with(&(Arc::new(WorstOfAll) as _));
}

#[test]
fn hooks_that_panic_with_what_panics_when_it_is_dropped_break_nothing() {
    let hook = Everywhere::new(|| std::panic::panic_any(PanicsWhenDropped));
    goes_on_with(&(Arc::new(hook) as _));
}

#[test]
fn hooks_that_panic_while_a_call_unwinds_do_not_end_the_process() {
    struct Unserializable;

    impl serde::Serialize for Unserializable {
        fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            panic!("on purpose");
        }
    }

    let (_, cache) = watched([Arc::new(Everywhere::new(|| panic!("on purpose"))) as _]);
    let call = || block_on(cache.set("k", &Unserializable, 60));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    assert_eq!(block_on(cache.get::<u32>("k")).unwrap(), Some(1));
}

#[test]
fn hooks_that_panic_are_logged_once_each() {
    // Where another test's thread comes first to the place that logs, it is taken for one that nobody listens to, until
    // the next subscriber.
    let (_, cache) = watched([Arc::new(Everywhere::new(|| panic!("on purpose"))) as _]);
    block_on(cache.get::<u32>("k")).unwrap();

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let hooks = [(); 2].map(|()| Arc::new(Everywhere::new(|| panic!("on purpose"))) as Arc<dyn Hook>);
        let (_, cache) = watched(hooks);
        for _ in 0..5 {
            block_on(cache.get::<u32>("k")).unwrap();
            block_on(cache.scope("s").get::<u32>("k")).unwrap();
        }
    });
    let text = String::from_utf8(log.0.lock().clone()).unwrap();
    assert_eq!(text.matches("a hook panicked").count(), 2, "{text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn hooks_that_block_cost_their_own_time_and_nothing_else() {
    const EACH: Duration = Duration::from_millis(10);
    let hook = Everywhere::new(|| thread::sleep(EACH));
    let (_, cache) = watched([Arc::new(hook.clone()) as _]);
    let began = Instant::now();
    assert_eq!(block_on(cache.get::<u32>("k")).unwrap(), Some(1));
    let took = began.elapsed();
    // The start, the end and its summary, of the call and of its part.
    assert_eq!(hook.calls(), 6);
    assert!(took >= EACH * 6, "{took:?}");
}

#[test]
fn hooks_that_call_the_cache_from_every_place_neither_recurse_nor_wait_for_ever() {
    static CACHE: OnceLock<BlockingCache<MemoryBackend>> = OnceLock::new();
    static ANSWERS: AtomicUsize = AtomicUsize::new(0);
    let hook = Everywhere::new(|| {
        let cache = CACHE.get().expect("set below");
        // The key that the call is about, which it may just be loading.
        for key in ["k", "new"] {
            let _ = cache.get::<u32>(key);
            let _ = cache.set("other", &1, 60);
            let _ = cache.remember(key, 60, || Ok::<_, ()>(7_u32));
        }
        ANSWERS.fetch_add(1, Ordering::Relaxed);
    });
    let backend = MemoryBackend::new();
    let cache = Cache::builder(backend.clone())
        .prefix("app")
        .default_ttl("1m")
        .fallback(FallbackPolicy::ReturnNone)
        .hook(hook.clone())
        .build()
        .unwrap();
    CACHE.set(cache.blocking()).ok().unwrap();
    for row in rows() {
        block_on(prepared(&cache));
        assert!(block_on((row.run)(cache.clone())), "{:?}", row.kind);
        backend.faults().fail_all(ErrorKind::Connection);
        block_on((row.run)(cache.clone()));
        backend.faults().recover();
    }
    assert!(hook.calls() > 100);
    assert_eq!(ANSWERS.load(Ordering::Relaxed), hook.calls(), "each of them came back");
}
