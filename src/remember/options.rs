use std::time::Duration;

use crate::{
    error::{Error, Result},
    ttl::Ttl,
};

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
    negative_ttl: Option<Ttl>,
    ttl_jitter: Option<f64>,
    on_error: Option<OnError>,
    schema_version: Option<u32>,
    force_refresh: bool,
    unfenced: Option<bool>,
    fill_window: Option<Duration>,
    wait: Option<Duration>,
    refresh_ahead: Option<f64>,
    early: Option<f64>,
    stale_if_error: Option<Duration>,
    throttle: Option<Duration>,
    problem: Option<Error>,
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

    pub(crate) fn problem(&self) -> Option<&Error> {
        self.problem.as_ref()
    }

    /// These options with `defaults` where they are not set, and everything settled.
    pub(crate) fn plan(&self, defaults: &Self, schema: u32) -> Result<Plan> {
        if let Some(problem) = self.problem.as_ref().or(defaults.problem.as_ref()) {
            return Err(problem.clone());
        }
        Ok(Plan {
            negative_ttl: self.negative_ttl.or(defaults.negative_ttl),
            ttl_jitter: self.ttl_jitter.or(defaults.ttl_jitter),
            on_error: self.on_error.or(defaults.on_error).unwrap_or_default(),
            schema: self.schema_version.or(defaults.schema_version).unwrap_or(schema),
            force_refresh: self.force_refresh || defaults.force_refresh,
            is_fenced: !self.unfenced.or(defaults.unfenced).unwrap_or(false),
            fill_window: self.fill_window.or(defaults.fill_window).unwrap_or(FILL_WINDOW),
            wait: self.wait.or(defaults.wait).unwrap_or(WAIT),
            refresh_ahead: self.refresh_ahead.or(defaults.refresh_ahead),
            early: self.early.or(defaults.early),
            stale_if_error: self.stale_if_error.or(defaults.stale_if_error),
            throttle: self.throttle.or(defaults.throttle).unwrap_or(THROTTLE),
        })
    }
}

const FILL_WINDOW: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_secs(30);
const THROTTLE: Duration = Duration::from_secs(30);

/// The options of one call with every default in its place.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(super) negative_ttl: Option<Ttl>,
    pub(super) ttl_jitter: Option<f64>,
    pub(super) on_error: OnError,
    pub(crate) schema: u32,
    pub(super) force_refresh: bool,
    pub(super) is_fenced: bool,
    pub(super) fill_window: Duration,
    pub(super) wait: Duration,
    pub(super) refresh_ahead: Option<f64>,
    pub(super) early: Option<f64>,
    pub(super) stale_if_error: Option<Duration>,
    pub(super) throttle: Duration,
}

impl Plan {
    /// Tells whether entries need a logical life of their own in the header.
    pub(super) fn has_times(&self) -> bool {
        self.refresh_ahead.is_some() || self.early.is_some() || self.stale_if_error.is_some()
    }
}
