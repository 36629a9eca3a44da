use std::time::Duration;

use crate::{error::Error, ttl::Ttl};

/// What a `remember` does when the backend fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnError {
    /// Loads, and returns what was loaded, stored or not.
    #[default]
    Execute,
    /// Fails with [`LoadError::Cache`](crate::LoadError::Cache).
    Raise,
}

/// How values are remembered: the defaults of a cache, or of one call.
///
/// Whatever is not set here is taken from the cache's own
/// [`load_options`](crate::CacheBuilder::load_options), and then from the defaults below. A setting out of range is
/// reported by the call, or by `build`.
///
/// # Examples
///
/// ```
/// use larder::{Cache, LoadOptions, Loaded, Source};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let cache = Cache::builder(MemoryBackend::new())
///     .load_options(LoadOptions::new().refresh_ahead(0.8).stale_if_error("10m"))
///     .build()
///     .unwrap();
/// let options = LoadOptions::new().negative_ttl("30s");
/// let load = || async { Ok::<_, String>(Loaded::value(5)) };
/// let answer = cache.remember_with("key", "1h", &options, load).await.unwrap();
/// assert_eq!((answer.value, answer.source), (Some(5), Source::Loaded));
/// # });
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct LoadOptions {
    pub(super) negative_ttl: Option<Ttl>,
    pub(super) ttl_jitter: Option<f64>,
    pub(super) on_error: Option<OnError>,
    pub(super) schema_version: Option<u32>,
    pub(super) force_refresh: bool,
    pub(super) unfenced: Option<bool>,
    pub(super) fill_window: Option<Duration>,
    pub(super) wait: Option<Duration>,
    pub(super) refresh_ahead: Option<f64>,
    pub(super) early: Option<f64>,
    pub(super) stale_if_error: Option<Duration>,
    pub(super) throttle: Option<Duration>,
    pub(super) lease: Option<Duration>,
    pub(super) stale_while_revalidate: Option<Duration>,
    pub(super) soft_timeout: Option<Duration>,
    pub(super) hard_timeout: Option<Duration>,
    pub(super) waits_out: bool,
    pub(super) problem: Option<Error>,
}

impl LoadOptions {
    /// Options of which none is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The ttl of a loaded `None`. Default: the ttl of the call.
    pub fn negative_ttl(mut self, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        match ttl.try_into() {
            Ok(ttl) => self.negative_ttl = Some(ttl),
            Err(error) => self.refuse(error.into()),
        }
        self
    }

    /// The jitter of what is stored, from 0 to below 1. Default: the cache's.
    pub fn ttl_jitter(mut self, jitter: f64) -> Self {
        if (0.0..1.0).contains(&jitter) {
            self.ttl_jitter = Some(jitter);
        } else {
            self.refuse(Error::invalid(format!("ttl_jitter {jitter}: not in [0, 1)")));
        }
        self
    }

    /// What to do when the backend fails. Default: [`OnError::Execute`], so that no outage costs a computed value.
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = Some(on_error);
        self
    }

    /// The schema version of the value. Default: the cache's.
    pub fn schema_version(mut self, version: u32) -> Self {
        self.schema_version = Some(version);
        self
    }

    /// Loads whatever is cached, and stores what is loaded. Shares only loads that begin after the call does.
    pub fn force_refresh(mut self) -> Self {
        self.force_refresh = true;
        self
    }

    /// Fills by a plain write, without a marker in the key. Default: fenced.
    ///
    /// Saves a round trip before each load. An invalidation made in another process while a load runs is then
    /// overwritten by what it loaded; one made in this process is still honoured.
    pub fn unfenced(mut self) -> Self {
        self.unfenced = Some(true);
        self
    }

    /// How long a marker may stand: loads that take longer are returned and not stored. Default: 60 s.
    pub fn fill_window(mut self, window: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.fill_window = self.span("fill_window", window).or(self.fill_window);
        self
    }

    /// How long a call waits for another call's load before it loads itself. Default: 30 s.
    ///
    /// Those that wait for one load share a timer, so nobody waits longer than the first of them.
    pub fn wait(mut self, bound: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.wait = self.span("wait", bound).or(self.wait);
        self
    }

    /// Reloads a value once this fraction of its life has passed, between 0 and 1 exclusive, in the one call that
    /// notices; the others keep the value meanwhile. Default: off.
    pub fn refresh_ahead(mut self, fraction: f64) -> Self {
        if fraction > 0.0 && fraction < 1.0 {
            self.refresh_ahead = Some(fraction);
        } else {
            self.refuse(Error::invalid(format!("refresh_ahead {fraction}: not between 0 and 1")));
        }
        self
    }

    /// Reloads a value by chance, the likelier the nearer its end and the longer its load took. Default: off.
    ///
    /// `beta` is 1 for the optimum of the paper, more for earlier reloads. Vattani, Chierichetti and Lowenstein,
    /// *Optimal Probabilistic Cache Stampede Prevention*, PVLDB 8(8), 2015.
    pub fn early(mut self, beta: f64) -> Self {
        if beta > 0.0 && beta.is_finite() {
            self.early = Some(beta);
        } else {
            self.refuse(Error::invalid(format!("early {beta}: not above 0 and finite")));
        }
        self
    }

    /// Keeps a value for `window` past its ttl, for calls whose load fails. Default: off.
    ///
    /// After a failed load, calls answer the stale value without loading for the
    /// [`throttle`](Self::throttle).
    pub fn stale_if_error(mut self, window: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.stale_if_error = self.span("stale_if_error", window).or(self.stale_if_error);
        self
    }

    /// How long after a failed refresh the next one is tried, counted from the failure. Default: 30 s.
    pub fn throttle(mut self, pause: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.throttle = self.span("throttle", pause).or(self.throttle);
        self
    }

    /// Lets one process load at a time: the others wait for it. Default: off, and each process loads for itself.
    ///
    /// Whoever holds the lease renews it while its load runs, however long that takes. Those that wait look again from
    /// time to time; when they have seen no sign of the holder for the length of the lease, because its process was
    /// killed or is stuck, one of them loads in its place. Nobody waits longer than [`wait`](Self::wait), nor where the
    /// backend is away: then each process loads for itself, once. A value that is refreshed early is refreshed by the
    /// holder alone, and the others answer what they have.
    ///
    /// Short enough to wait for after a crash, and long enough that a busy process can renew it in time: seconds.
    /// [`remember_many`](crate::Cache::remember_many) neither takes leases nor waits for them.
    pub fn lease(mut self, length: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.lease = self.span("lease", length).or(self.lease);
        self
    }

    /// Keeps a value for `window` past its ttl, and answers it at once while one call reloads it. Default: off.
    ///
    /// [`remember_detached`](crate::Cache::remember_detached) reloads in the background. In the other calls the one
    /// that notices reloads, and only the others are answered at once. Within the window a value also answers for a load
    /// that fails, and the next one is tried after the [`throttle`](Self::throttle).
    pub fn stale_while_revalidate(mut self, window: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.stale_while_revalidate = self
            .span("stale_while_revalidate", window)
            .or(self.stale_while_revalidate);
        self
    }

    /// How long [`remember_detached`](crate::Cache::remember_detached) waits for a load where it has a stale value to
    /// answer instead. Default: until the load ends.
    ///
    /// The load goes on in the background, and what it answers is stored. The stale value is one that
    /// [`stale_if_error`](Self::stale_if_error) or [`stale_while_revalidate`](Self::stale_while_revalidate) has kept. The
    /// other calls can not leave their loads behind, and wait for them.
    pub fn soft_timeout(mut self, limit: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.soft_timeout = self.span("soft_timeout", limit).or(self.soft_timeout);
        self
    }

    /// How long a call for one key waits for a load, its own or a shared one. Default: for its own as long as it takes.
    ///
    /// Then it answers the stale value where a window has kept one, else
    /// [`LoadError::TimedOut`](crate::LoadError::TimedOut). Its own load is dropped;
    /// [`remember_detached`](crate::Cache::remember_detached) lets it go on in the background. A call whose own loader
    /// has ended by then answers what that did, however long storing it takes: a blocking loader, which nobody can cut
    /// short, may end late.
    pub fn hard_timeout(mut self, limit: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        self.hard_timeout = self.span("hard_timeout", limit).or(self.hard_timeout);
        self
    }

    /// The caller can not say that a load took too long: where there is no stale value, it waits for the load's end.
    #[cfg(feature = "macros")]
    pub(crate) fn waits_out(mut self) -> Self {
        self.waits_out = true;
        self
    }

    fn span(&mut self, name: &str, span: impl TryInto<Ttl, Error: Into<Error>>) -> Option<Duration> {
        match span.try_into().map_err(Into::into) {
            Ok(ttl) => {
                if ttl.as_duration().is_none() {
                    self.refuse(Error::invalid(format!("{name} {ttl}: it has to be a span")));
                }
                ttl.as_duration()
            }
            Err(error) => {
                self.refuse(error);
                None
            }
        }
    }

    fn refuse(&mut self, problem: Error) {
        self.problem.get_or_insert(problem);
    }
}
