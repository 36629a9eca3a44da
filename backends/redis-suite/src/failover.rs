//! What callers see while one server takes over from another.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use larder::CacheBackend;
use tokio::time::sleep;

use crate::support::{DEADLINE, MARGIN, forever, within};

/// What was called every few milliseconds, and how it went.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    key: String,
    /// When each call ended, and whether it was answered.
    calls: Vec<(Instant, bool)>,
}

impl Probe {
    pub(crate) fn new(name: &'static str, key: String) -> Self {
        Self {
            name,
            key,
            calls: Vec::new(),
        }
    }

    /// Reads and writes in turn until it is over. No call takes longer than its deadline.
    async fn run<B: CacheBackend>(&mut self, backend: &B, over: &AtomicBool) {
        for round in 0_u32.. {
            if over.load(Ordering::Relaxed) {
                break;
            }
            let began = Instant::now();
            let answer = if round % 2 == 0 {
                backend.get(&self.key).await.map(|_| ())
            } else {
                backend
                    .set(&self.key, Bytes::from_static(b"v"), forever())
                    .await
                    .map(|_| ())
            };
            within(DEADLINE + MARGIN, began);
            self.calls.push((Instant::now(), answer.is_ok()));
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many of a hundred calls between two moments were answered.
    fn answered(&self, from: Instant, to: Instant) -> usize {
        let between: Vec<bool> = self
            .calls
            .iter()
            .filter(|(at, _)| (from..to).contains(at))
            .map(|&(_, answered)| answered)
            .collect();
        between.iter().filter(|&&answered| answered).count() * 100 / between.len().max(1)
    }

    /// The last moment at which a call failed.
    fn last_failure(&self) -> Option<Instant> {
        self.calls
            .iter()
            .rev()
            .find(|(_, answered)| !answered)
            .map(|&(at, _)| at)
    }
}

/// What became of the probes.
#[derive(Debug)]
pub(crate) struct Failover {
    pub(crate) probes: Vec<Probe>,
    killed: Instant,
    taken_over: Instant,
}

impl Failover {
    /// How long after the take-over the last of the probes still failed.
    pub(crate) fn full_service(&self) -> Duration {
        let last = self.probes.iter().filter_map(Probe::last_failure).max();
        last.map_or(Duration::ZERO, |last| last.saturating_duration_since(self.taken_over))
    }

    /// How many of a hundred calls a probe had answered between the kill and the take-over.
    pub(crate) fn answered_meanwhile(&self, probe: &Probe) -> usize {
        probe.answered(self.killed, self.taken_over)
    }

    /// The table of what was seen.
    pub(crate) fn table(&self) -> String {
        let mut table = format!(
            "taken over after {:.1?}; full service {:.1?} later\n",
            self.taken_over - self.killed,
            self.full_service()
        );
        writeln!(
            table,
            "{:24} answered until then   last failure after the kill",
            "keys of"
        )
        .unwrap();
        for probe in &self.probes {
            let last = probe
                .last_failure()
                .map(|last| last.saturating_duration_since(self.killed));
            writeln!(
                table,
                "{:24} {:16} %   {last:.1?}",
                probe.name,
                self.answered_meanwhile(probe)
            )
            .unwrap();
        }
        table
    }
}

/// Probes a backend while `kill` is called and until well after `taken_over` holds, both of which may block.
pub(crate) async fn observe<B: CacheBackend, T: Send + 'static>(
    backend: &B,
    mut probes: Vec<Probe>,
    mut servers: T,
    kill: impl FnOnce(&mut T) + Send + 'static,
    taken_over: impl Fn(&T) -> bool + Send + 'static,
) -> (Failover, T) {
    let over = AtomicBool::new(false);
    let story = async {
        sleep(Duration::from_millis(300)).await;
        let (whole, killed, changed, servers) = tokio::task::spawn_blocking(move || {
            // The server is gone some time before the kill is over, and some clients see it at once.
            let whole = Instant::now();
            kill(&mut servers);
            let killed = Instant::now();
            crate::support::eventually("another takes over", || taken_over(&servers));
            (whole, killed, Instant::now(), servers)
        })
        .await
        .unwrap();
        sleep(Duration::from_secs(2)).await;
        over.store(true, Ordering::Relaxed);
        (whole, killed, changed, servers)
    };
    let running = join_all(probes.iter_mut().map(|probe| probe.run(backend, &over)));
    let ((whole, killed, changed, servers), _) = futures::join!(story, running);
    let failover = Failover {
        probes,
        killed,
        taken_over: changed,
    };
    println!("{}", failover.table());
    for probe in &failover.probes {
        assert_eq!(
            probe.answered(probe.calls[0].0, whole),
            100,
            "{}: failed before the kill",
            probe.name
        );
        assert!(probe.calls.last().unwrap().1, "{}: fails to the end", probe.name);
    }
    (failover, servers)
}
