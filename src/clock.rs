use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_timer::Delay;
use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use rustix::time::{ClockId, clock_gettime};

use crate::runtime::Runtime;

/// Where a cache and the in-process backends take the time from.
///
/// Two readings, because they answer different questions: [`unix_time`](Self::unix_time) goes into stored entries
/// and is compared across machines; [`monotonic`](Self::monotonic) measures a span inside this process and never
/// runs backwards when the system's clock is set.
///
/// # Contract
///
/// - `monotonic` never decreases.
/// - Both are cheap and never block: they are read on hit paths.
/// - `sleep` ends once `monotonic` has moved on by the span, whoever polls it, and needs no async runtime.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time since the Unix epoch by this machine's clock.
    fn unix_time(&self) -> Duration;

    /// The time since some fixed moment, never decreasing.
    fn monotonic(&self) -> Duration;

    /// A reading of [`monotonic`](Self::monotonic) that may be up to a second behind, where that is cheaper to have.
    ///
    /// Never ahead: what is far from its end by this reading plus a second is so by the other too.
    fn monotonic_coarse(&self) -> Duration {
        self.monotonic()
    }

    /// Waits for `span` of this clock's monotonic time.
    fn sleep(&self, span: Duration) -> Sleep;
}

/// A wait for a [`Clock`]. Dropping it ends the wait.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn unix_time(&self) -> Duration {
        (**self).unix_time()
    }

    fn monotonic(&self) -> Duration {
        (**self).monotonic()
    }

    fn monotonic_coarse(&self) -> Duration {
        (**self).monotonic_coarse()
    }

    fn sleep(&self, span: Duration) -> Sleep {
        (**self).sleep(span)
    }
}

/// The machine's own clocks.
///
/// # Examples
///
/// ```
/// use larder::{Clock, SystemClock};
///
/// let clock = SystemClock::new();
/// let before = clock.monotonic();
/// assert!(clock.monotonic() >= before);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
    /// The origin of the coarse reading, in nanoseconds.
    #[cfg(target_os = "linux")]
    ticks_from: u64,
}

impl SystemClock {
    /// Makes a clock whose monotonic reading starts at zero now.
    #[must_use]
    pub fn new() -> Self {
        loop {
            let clock = Self {
                origin: Instant::now(),
                // After the other one, so that the coarse reading is never ahead of it.
                #[cfg(target_os = "linux")]
                ticks_from: nanos(ClockId::Monotonic),
            };
            // Where the thread was stopped between the two, the coarse reading would be as far behind for good.
            if clock.origin.elapsed() < Duration::from_millis(100) {
                return clock;
            }
        }
    }

    /// The [coarse reading](Clock::monotonic_coarse) in nanoseconds, of which 584 years can be counted. A hit in the
    /// process feels what it takes to make a [`Duration`] of it and to take that apart.
    ///
    /// # Examples
    ///
    /// ```
    /// use larder::{Clock, SystemClock};
    ///
    /// let clock = SystemClock::new();
    /// let coarse = clock.monotonic_coarse_nanos();
    /// assert!(u128::from(coarse) <= clock.monotonic().as_nanos());
    /// ```
    #[must_use]
    #[inline]
    pub fn monotonic_coarse_nanos(&self) -> u64 {
        // The time of the kernel's last tick, at a third of what it costs to ask the hardware. That tick may have been
        // before the clock was made.
        #[cfg(target_os = "linux")]
        return nanos(ClockId::MonotonicCoarse).saturating_sub(self.ticks_from);
        #[cfg(not(target_os = "linux"))]
        #[expect(clippy::cast_possible_truncation, reason = "584 years, as the docs say")]
        return self.monotonic().as_nanos() as u64;
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn unix_time(&self) -> Duration {
        // A clock set before 1970 reads as the epoch itself: entries then look old, never immortal.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }

    #[cfg(target_os = "linux")]
    #[inline]
    fn monotonic_coarse(&self) -> Duration {
        Duration::from_nanos(self.monotonic_coarse_nanos())
    }

    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(Delay::new(span))
    }
}

#[cfg(target_os = "linux")]
#[inline]
fn nanos(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    // Neither is ever negative. By hand, because the conversion of `rustix` is a call that a hit would feel.
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
}

/// The machine's own clocks, with the waits of a runtime.
#[derive(Debug)]
pub(crate) struct RuntimeClock {
    system: SystemClock,
    runtime: Arc<dyn Runtime>,
}

impl RuntimeClock {
    pub(crate) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            system: SystemClock::new(),
            runtime,
        }
    }
}

impl Clock for RuntimeClock {
    fn unix_time(&self) -> Duration {
        self.system.unix_time()
    }

    fn monotonic(&self) -> Duration {
        self.system.monotonic()
    }

    fn monotonic_coarse(&self) -> Duration {
        self.system.monotonic_coarse()
    }

    fn sleep(&self, span: Duration) -> Sleep {
        self.runtime.sleep(span)
    }
}

/// A clock that moves only when a test moves it.
///
/// Clones share one time. A new clock stands at 2024-01-01T00:00:00Z.
///
/// # Examples
///
/// ```
/// use larder::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let seen_by_the_cache = clock.clone();
/// let before = seen_by_the_cache.unix_time();
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(seen_by_the_cache.unix_time() - before, Duration::from_secs(90));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    readings: Arc<Mutex<Readings>>,
}

#[derive(Debug)]
struct Readings {
    unix_time: Duration,
    monotonic: Duration,
    sleepers: Vec<(Duration, Waker)>,
}

const START_OF_2024: Duration = Duration::from_secs(1_704_067_200);

impl ManualClock {
    /// Makes a clock that stands still at the start of 2024.
    #[must_use]
    pub fn new() -> Self {
        Self {
            readings: Arc::new(Mutex::new(Readings {
                unix_time: START_OF_2024,
                monotonic: Duration::ZERO,
                sleepers: Vec::new(),
            })),
        }
    }

    /// Moves both readings forward by `step` and wakes whoever has slept long enough.
    pub fn advance(&self, step: Duration) {
        let mut readings = self.readings.lock();
        readings.unix_time += step;
        readings.monotonic += step;
        let now = readings.monotonic;
        let due: Vec<_> = readings.sleepers.extract_if(.., |(until, _)| *until <= now).collect();
        drop(readings);
        for (_, waker) in due {
            waker.wake();
        }
    }

    /// How many waits there are on this clock that were polled and have not come to their end.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.readings.lock().sleepers.len()
    }

    /// Sets the Unix time alone, forwards or backwards, as an administrator or a time server does.
    pub fn set_unix_time(&self, unix_time: Duration) {
        self.readings.lock().unix_time = unix_time;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn unix_time(&self) -> Duration {
        self.readings.lock().unix_time
    }

    fn monotonic(&self) -> Duration {
        self.readings.lock().monotonic
    }

    fn sleep(&self, span: Duration) -> Sleep {
        let clock = self.clone();
        let until = self.monotonic() + span;
        Box::pin(poll_fn(move |cx| {
            let mut readings = clock.readings.lock();
            if readings.monotonic >= until {
                return Poll::Ready(());
            }
            if !readings
                .sleepers
                .iter()
                .any(|(due, waker)| *due == until && waker.will_wake(cx.waker()))
            {
                readings.sleepers.push((until, cx.waker().clone()));
            }
            Poll::Pending
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_coarse_reading_is_never_ahead_and_not_a_second_behind() {
        let clock = SystemClock::new();
        for _ in 0..10_000 {
            let before = clock.monotonic();
            let coarse = clock.monotonic_coarse();
            assert!(coarse + Duration::from_secs(1) > before, "{coarse:?}, {before:?}");
            assert!(coarse <= clock.monotonic());
        }
    }

    #[test]
    fn setting_the_unix_time_back_leaves_the_monotonic_reading_alone() {
        let clock = ManualClock::new();
        clock.advance(Duration::from_secs(5));
        clock.set_unix_time(Duration::from_secs(1));
        assert_eq!(clock.unix_time(), Duration::from_secs(1));
        assert_eq!(clock.monotonic(), Duration::from_secs(5));
    }
}
