//! What a cache was told when it was made, and what a ttl comes to by that.

use std::{sync::Arc, time::Duration};

use super::OnUndecodable;
use crate::{
    backend::Expiry,
    background::Background,
    clock::{Clock, SystemClock},
    envelope::Sealing,
    error::{Error, Result},
    random,
    remember::LoadOptions,
    runtime::ThreadRuntime,
    ttl::Ttl,
};

#[derive(Debug)]
pub(crate) struct Settings {
    pub(super) default_ttl: Option<Ttl>,
    pub(super) jitter: f64,
    pub(super) sealing: Sealing,
    pub(super) on_undecodable: OnUndecodable,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) load_options: LoadOptions,
    pub(super) name: Arc<str>,
    pub(crate) background: Background,
}

pub(super) const BACKGROUND_LIMIT: usize = 1024;

/// What a cache without a name or a prefix is called.
pub(crate) const DEFAULT_NAME: &str = "larder";

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_ttl: None,
            jitter: 0.0,
            sealing: Sealing {
                compress_from: 1024,
                max_value_bytes: 64 * 1024 * 1024,
                schema: 0,
            },
            on_undecodable: OnUndecodable::default(),
            clock: Arc::new(SystemClock::new()),
            load_options: LoadOptions::new(),
            name: DEFAULT_NAME.into(),
            background: Background::new(Arc::new(ThreadRuntime), BACKGROUND_LIMIT),
        }
    }
}

impl Settings {
    /// The ttl a call gave, with the default in its place where it gave none.
    pub(crate) fn ttl(&self, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Result<Ttl> {
        let ttl = ttl.try_into().map_err(Into::into)?;
        ttl.or(self.default_ttl)
            .ok_or_else(|| Error::invalid("ttl default: the cache has no default_ttl; give a ttl, or Ttl::FOREVER"))
    }

    /// The expiry of a write: the ttl with this cache's jitter.
    pub(super) fn expiry(&self, ttl: Ttl) -> Expiry {
        self.life(ttl, None).map_or(Expiry::Never, Expiry::After)
    }

    /// The span of a ttl with this cache's jitter, or the one given; `None` for ever.
    pub(crate) fn life(&self, ttl: Ttl, jitter: Option<f64>) -> Option<Duration> {
        ttl.as_duration()
            .map(|span| jittered(span, jitter.unwrap_or(self.jitter)))
    }
}

/// Spreads `span` evenly over `[1 - jitter, 1 + jitter]` times itself, in whole milliseconds and never below one.
fn jittered(span: Duration, jitter: f64) -> Duration {
    if jitter == 0.0 {
        return span;
    }
    let factor = random::range(1.0 - jitter..=1.0 + jitter);
    let millis = span.mul_f64(factor).as_millis().max(1);
    Duration::from_millis(u64::try_from(millis).unwrap_or(Expiry::MAX_MILLIS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_reaches_both_ends_of_its_range_and_never_leaves_it() {
        let span = Duration::from_secs(1000);
        let spread: Vec<_> = (0..10_000).map(|_| jittered(span, 0.1).as_millis()).collect();
        assert!(spread.iter().all(|millis| (900_000..=1_100_000).contains(millis)));
        assert!(spread.iter().any(|&millis| millis < 905_000));
        assert!(spread.iter().any(|&millis| millis > 1_095_000));
    }

    #[test]
    fn jitter_never_takes_a_life_below_one_millisecond() {
        let shortest = (0..1000)
            .map(|_| jittered(Duration::from_millis(1), 0.99))
            .min()
            .unwrap();
        assert_eq!(shortest, Duration::from_millis(1));
    }

    #[test]
    fn the_longest_ttl_stays_in_range_under_the_widest_jitter() {
        for _ in 0..1000 {
            assert!(Expiry::whole_millis(jittered(Ttl::MAX, 0.999)).is_ok());
        }
    }
}
