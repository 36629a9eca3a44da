use std::time::Duration;

use super::options::{LoadOptions, OnError};
use crate::{
    error::{Error, Result},
    ttl::Ttl,
};

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
    pub(super) lease: Option<Duration>,
    pub(super) stale_while_revalidate: Option<Duration>,
    pub(super) soft_timeout: Option<Duration>,
    pub(super) hard_timeout: Option<Duration>,
    pub(super) waits_out: bool,
}

impl LoadOptions {
    /// These options with `defaults` where they are not set, and everything settled.
    pub(crate) fn plan(&self, defaults: &Self, schema: u32) -> Result<Plan> {
        if let Some(problem) = self.problem.as_ref().or(defaults.problem.as_ref()) {
            return Err(problem.clone());
        }
        let is_fenced = !self.unfenced.or(defaults.unfenced).unwrap_or(false);
        // A call that asks for no fence asks for no lease either, whatever the cache's default.
        let lease = self.lease.or(defaults.lease.filter(|_| self.unfenced != Some(true)));
        if lease.is_some() && !is_fenced {
            return Err(Error::invalid(
                "lease: it is kept in the marker, which unfenced leaves out",
            ));
        }
        Ok(Plan {
            negative_ttl: self.negative_ttl.or(defaults.negative_ttl),
            ttl_jitter: self.ttl_jitter.or(defaults.ttl_jitter),
            on_error: self.on_error.or(defaults.on_error).unwrap_or_default(),
            schema: self.schema_version.or(defaults.schema_version).unwrap_or(schema),
            force_refresh: self.force_refresh || defaults.force_refresh,
            is_fenced,
            fill_window: self.fill_window.or(defaults.fill_window).unwrap_or(FILL_WINDOW),
            wait: self.wait.or(defaults.wait).unwrap_or(WAIT),
            refresh_ahead: self.refresh_ahead.or(defaults.refresh_ahead),
            early: self.early.or(defaults.early),
            stale_if_error: self.stale_if_error.or(defaults.stale_if_error),
            throttle: self.throttle.or(defaults.throttle).unwrap_or(THROTTLE),
            lease,
            stale_while_revalidate: self.stale_while_revalidate.or(defaults.stale_while_revalidate),
            soft_timeout: self.soft_timeout.or(defaults.soft_timeout),
            hard_timeout: self.hard_timeout.or(defaults.hard_timeout),
            waits_out: self.waits_out,
        })
    }
}

impl Plan {
    /// Tells whether entries need a logical life of their own in the header.
    pub(super) fn has_times(&self) -> bool {
        self.refresh_ahead.is_some() || self.early.is_some() || self.stale_window().is_some() || self.lease.is_some()
    }

    /// How long a value may be answered past its life, for whatever reason.
    pub(super) fn stale_window(&self) -> Option<Duration> {
        self.stale_if_error.max(self.stale_while_revalidate)
    }

    /// How long an entry is kept past its life.
    pub(super) fn kept_beyond(&self) -> Duration {
        if !self.has_times() {
            return Duration::ZERO;
        }
        // A reload may begin as late as the value is answered, and is stored only while what it reloads is there.
        self.stale_window().unwrap_or_default() + self.fill_window
    }
}
