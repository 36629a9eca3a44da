//! A server that is killed under load, seen by everyone who calls meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use larder::{Cache, CacheBackend, Condition, Error, Result};
use testkit::RedisServer;
use tokio::time::sleep;

use crate::{
    Client,
    measure::{alone, lateness, memory},
    support::{DEADLINE, MARGIN, brief, forever, runtime},
};

const TASKS: usize = 64;
const PAUSE: Duration = Duration::from_millis(5);
const OUTAGE: Duration = Duration::from_secs(5);

/// What all calls but one in a thousand may take beyond their deadline and beyond what a bare timer of the same runtime
/// was late.
const SLACK: Duration = Duration::from_millis(100);

/// How much memory the outage may take.
const MEMORY: u64 = 20 << 20;

/// Before, during and after the outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Well,
    Away,
    Back,
}

const PHASES: [Phase; 3] = [Phase::Well, Phase::Away, Phase::Back];

/// The calls of one phase: how many took so many milliseconds.
struct Calls {
    failed: AtomicU64,
    millis: Vec<AtomicU64>,
}

impl Calls {
    fn new() -> Self {
        Self {
            failed: AtomicU64::new(0),
            millis: (0..2_000).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn count(&self, took: Duration, failed: bool) {
        let place = usize::try_from(took.as_millis()).unwrap().min(self.millis.len() - 1);
        self.millis[place].fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        self.millis.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The time that a share of the calls kept within, rounded up to a millisecond.
    fn quantile(&self, share: f64) -> Duration {
        let mut left = self.total();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "counts are small"
        )]
        let beyond = ((1.0 - share) * left as f64) as u64;
        let mut millis = 0;
        for (place, count) in self.millis.iter().enumerate() {
            if left <= beyond {
                break;
            }
            left -= count.load(Ordering::Relaxed);
            millis = place as u64 + 1;
        }
        Duration::from_millis(millis)
    }
}

struct Watch {
    origin: Instant,
    phase: AtomicUsize,
    calls: [Calls; 3],
    /// When each task was first served after the outage, in microseconds after the origin.
    served: Vec<AtomicU64>,
    over: AtomicBool,
}

impl Watch {
    fn enter(&self, phase: Phase) {
        self.phase.store(phase as usize, Ordering::SeqCst);
    }

    /// Counts a call in the phase in which it ended.
    async fn call<T>(&self, number: usize, call: impl Future<Output = Result<T>>) {
        let began = Instant::now();
        let answer = call.await;
        let phase = self.phase.load(Ordering::SeqCst);
        self.calls[phase].count(began.elapsed(), answer.is_err());
        match answer {
            Err(error) => assert!(error.is_unavailable(), "{error}"),
            Ok(_) if phase == Phase::Back as usize => {
                let now = micros(self.origin.elapsed());
                let _ = self.served[number].compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
            }
            Ok(_) => {}
        }
    }
}

async fn worker<B: CacheBackend + Clone + 'static>(watch: Arc<Watch>, backend: B, cache: Cache<B>, number: usize) {
    let many: Vec<String> = (0..8).map(|i| format!("k{}", (number + i) % TASKS)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let key = many[0];
    for round in number.. {
        if watch.over.load(Ordering::Relaxed) {
            break;
        }
        match round % 5 {
            0 => watch.call(number, backend.get(key)).await,
            1 => {
                let value = Bytes::from(vec![7; 1_000]);
                watch.call(number, backend.set(key, value, forever())).await;
            }
            2 => {
                let found = async { backend.get_many(&many).await.into_iter().collect::<Result<Vec<_>>>() };
                watch.call(number, found).await;
            }
            3 => watch.call(number, backend.delete(key, Condition::Always)).await,
            _ => {
                let began = Instant::now();
                let value = cache.remember(key, "1h", async || Ok::<_, Error>(number)).await;
                assert_eq!(value.unwrap(), number, "remember answers, and with the right value");
                // It answers without the server too, which is no service of the server's.
                watch.calls[watch.phase.load(Ordering::SeqCst)].count(began.elapsed(), false);
            }
        }
        sleep(PAUSE).await;
    }
}

async fn memory_while(watch: &Watch, span: Duration) -> Option<u64> {
    let began = Instant::now();
    let mut most = None;
    while began.elapsed() < span && !watch.over.load(Ordering::Relaxed) {
        most = most.max(memory());
        sleep(Duration::from_millis(100)).await;
    }
    most
}

pub(crate) fn outage_a_server_killed_under_load_costs_milliseconds_and_little_memory<C: Client>() {
    alone(|| runtime(2).block_on(killed_under_load::<C>()));
}

async fn killed_under_load<C: Client>() {
    let mut server = RedisServer::start();
    let client: C = brief(server.url()).await;
    let cache = Cache::builder(client.backend()).prefix("remembered").build().unwrap();
    let watch = Arc::new(Watch {
        origin: Instant::now(),
        phase: AtomicUsize::new(Phase::Well as usize),
        calls: [Calls::new(), Calls::new(), Calls::new()],
        served: (0..TASKS).map(|_| AtomicU64::new(0)).collect(),
        over: AtomicBool::new(false),
    });
    let worker = |number| worker(Arc::clone(&watch), client.backend(), cache.clone(), number);
    let workers: Vec<_> = (0..TASKS).map(|number| tokio::spawn(worker(number))).collect();
    let late = tokio::spawn({
        let watch = Arc::clone(&watch);
        async move { lateness(|| watch.over.load(Ordering::Relaxed)).await }
    });

    let before = memory_while(&watch, Duration::from_secs(1)).await;
    watch.enter(Phase::Away);
    server.stop();
    let during = memory_while(&watch, OUTAGE).await;
    // Off the runtime's threads, which have calls to make.
    let server = tokio::task::spawn_blocking(move || {
        server.restart();
        server
    });
    let _server = server.await.unwrap();
    watch.enter(Phase::Back);
    let restarted = watch.origin.elapsed();
    sleep(Duration::from_millis(1_500)).await;
    watch.over.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    let late = late.await.unwrap();

    println!("phase   calls  failed      p50      p99   p99.9    worst");
    for (phase, calls) in PHASES.iter().zip(&watch.calls) {
        let [half, most, nearly, all] = [0.5, 0.99, 0.999, 1.0].map(|share| calls.quantile(share));
        let failed = calls.failed.load(Ordering::Relaxed);
        let total = calls.total();
        println!("{phase:?} {total:8} {failed:7} {half:8?} {most:8?} {nearly:7?} {all:8?}");
        for (took, limit) in [(nearly, SLACK), (all, MARGIN)] {
            assert!(
                took <= DEADLINE + limit + late,
                "{phase:?}: {took:?}, a bare timer late by {late:?}"
            );
        }
        assert!(total > 1_000, "{phase:?}: too few calls to tell: {total}");
    }
    // A machine that stalls for longer than the deadline costs a call or two.
    let well = &watch.calls[Phase::Well as usize];
    assert!(well.failed.load(Ordering::Relaxed) * 100 <= well.total());
    let served: Vec<u64> = watch
        .served
        .iter()
        .map(|served| served.load(Ordering::SeqCst))
        .collect();
    assert!(served.iter().all(|&served| served > 0), "a task was never served again");
    let full = Duration::from_micros(served.into_iter().max().unwrap()).saturating_sub(restarted);
    println!("full service {full:?} after the restart; a bare timer was late by up to {late:?}");
    assert!(full < Duration::from_secs(1), "{full:?}");
    if let (Some(before), Some(during)) = (before, during) {
        let grown = during.saturating_sub(before);
        println!("memory: {before} bytes before, at most {during} during the outage");
        assert!(grown < MEMORY, "{grown} bytes more");
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap()
}
