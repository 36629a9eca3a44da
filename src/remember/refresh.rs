use std::time::Duration;

use super::plan::Plan;
use crate::{envelope::Header, random};

impl Plan {
    /// Tells whether a fresh value is to be reloaded by the call that looks at it `now`.
    pub(super) fn is_due(&self, header: &Header, now: Duration) -> bool {
        let Some(times) = header.times() else {
            return false;
        };
        if header.lease().is_some_and(|lease| lease.is_held(now)) {
            return false;
        }
        let life = times.expires.saturating_sub(times.created);
        let is_ahead = self
            .refresh_ahead
            .is_some_and(|fraction| now.saturating_sub(times.created) >= life.mul_f64(fraction));
        is_ahead
            || self.early.is_some_and(|beta| {
                // XFetch: -ln of a number in (0, 1] is exponentially distributed with mean 1.
                let gap = -(1.0 - random::random::<f64>()).ln();
                now.as_secs_f64() + times.load.as_secs_f64() * beta * gap >= times.expires.as_secs_f64()
            })
    }
}
