//! Backends around backends: what answers when the store does not.

mod batched;
mod breaker;
mod fallback;

pub use batched::{Batched, BatchedBuilder, BatchedStats};
pub use breaker::{Breaker, BreakerBuilder, BreakerState};
pub use fallback::{Fallback, FallbackBuilder, FallbackState, JournalStats};

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

/// Who is told of the changes of a layer's state.
struct Listener<T>(Option<Arc<dyn Fn(T) + Send + Sync>>);

impl<T> Listener<T> {
    /// Tells it. A panic of the listener's is its own.
    fn tell(&self, state: T) {
        if let Some(listener) = &self.0 {
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| listener(state)));
        }
    }
}

impl<T> Clone for Listener<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Listener" } else { "none" })
    }
}
