//! Backends around backends: what answers when the store does not.

mod batched;
mod breaker;
mod fallback;

pub use batched::{Batched, BatchedBuilder, BatchedStats};
pub use breaker::{Breaker, BreakerBuilder, BreakerState};
pub use fallback::{Fallback, FallbackBuilder, FallbackState, JournalStats};

use std::{fmt, panic::AssertUnwindSafe, sync::Arc};

use crate::{
    cache::DEFAULT_NAME,
    clock::Clock,
    hook::{Event, Hook, Hooks},
};

/// Who is told of the changes of a layer's state.
struct Listener<T>(Option<Arc<dyn Fn(T) + Send + Sync>>);

/// The hooks that the builder of a layer was given, and the name that their events carry.
#[derive(Default)]
struct Watched {
    name: Option<Arc<str>>,
    hooks: Vec<Arc<dyn Hook>>,
}

impl Watched {
    fn hooks(self, clock: &Arc<dyn Clock>) -> Hooks {
        let name = self.name.unwrap_or_else(|| DEFAULT_NAME.into());
        Hooks::new(name, Arc::clone(clock), self.hooks)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f.debug_struct("Watched").field("name", &self.name)).finish_non_exhaustive()
    }
}

impl<T: Copy + 'static> Listener<T> {
    /// This one, and after it the hooks, which are told of the `event` that a change is.
    fn and(self, hooks: &Hooks, event: impl for<'a> Fn(&'a str, T) -> Event<'a> + Send + Sync + 'static) -> Self {
        if hooks.iter().next().is_none() {
            return self;
        }
        let hooks = hooks.clone();
        Self(Some(Arc::new(move |state| {
            self.tell(state);
            hooks.emit(|name| event(name, state));
        })))
    }
}

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
