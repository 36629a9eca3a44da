use std::{
    cell::Cell,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Event, Hook, OperationKind};
use crate::clock::Clock;

/// The hooks of a cache or a layer, and what they need to know of it.
#[derive(Clone, Default)]
pub(crate) struct Hooks(Option<Arc<List>>);

pub(super) struct List {
    pub(super) name: Arc<str>,
    pub(super) clock: Arc<dyn Clock>,
    /// The kinds that any of them wants, as bits.
    wanted: u64,
    pub(super) watchers: Box<[Watcher]>,
}

/// One hook.
#[derive(Clone)]
pub(super) struct Watcher {
    pub(super) hook: Arc<dyn Hook>,
    wanted: u64,
    has_panicked: Arc<AtomicBool>,
}

thread_local! {
    /// A hook runs on this thread.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// A thread that is ending has no locals any more, and calls no hooks.
pub(super) fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(true)
}

impl Hooks {
    pub(crate) fn new(name: Arc<str>, clock: Arc<dyn Clock>, hooks: impl IntoIterator<Item = Arc<dyn Hook>>) -> Self {
        Self::of(name, clock, hooks.into_iter().map(Watcher::new).collect())
    }

    fn of(name: Arc<str>, clock: Arc<dyn Clock>, watchers: Box<[Watcher]>) -> Self {
        if watchers.is_empty() {
            return Self(None);
        }
        Self(Some(Arc::new(List {
            name,
            clock,
            wanted: watchers.iter().fold(0, |wanted, watcher| wanted | watcher.wanted),
            watchers,
        })))
    }

    /// Another list for the same cache. Those that are in both have panicked before where they have.
    pub(crate) fn replaced(
        &self,
        name: Arc<str>,
        clock: Arc<dyn Clock>,
        hooks: impl IntoIterator<Item = Arc<dyn Hook>>,
    ) -> Self {
        let known = self.0.as_ref().map_or(&[][..], |list| &list.watchers);
        let watchers = hooks.into_iter().map(|hook| {
            let same = known.iter().find(|watcher| Arc::ptr_eq(&watcher.hook, &hook));
            same.cloned().unwrap_or_else(|| Watcher::new(hook))
        });
        Self::of(name, clock, watchers.collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Hook>> {
        let watchers = self.0.as_ref().map_or(&[][..], |list| &list.watchers);
        watchers.iter().map(|watcher| &watcher.hook)
    }

    /// The list, where a call of this kind, or a part of it, is wanted by any hook.
    #[inline]
    pub(super) fn watching(&self) -> Option<&Arc<List>> {
        self.0.as_ref().filter(|list| list.wanted != 0 && !is_inside())
    }

    /// Tells whether any hook wants to be told of any kind of call now.
    #[inline]
    pub(crate) fn are_watching(&self) -> bool {
        self.watching().is_some()
    }

    pub(crate) fn emit<'a>(&'a self, event: impl FnOnce(&'a str) -> Event<'a>) {
        let Some(list) = &self.0 else { return };
        if is_inside() {
            return;
        }
        let event = event(&list.name);
        for watcher in &list.watchers {
            watcher.call(|hook| hook.event(&event));
        }
    }
}

impl List {
    pub(super) const fn wants(&self, kind: OperationKind) -> bool {
        self.wanted & kind.bit() != 0
    }
}

impl Watcher {
    fn new(hook: Arc<dyn Hook>) -> Self {
        let mut watcher = Self {
            hook,
            wanted: 0,
            has_panicked: Arc::default(),
        };
        for kind in OperationKind::ALL {
            if watcher.call(|hook| hook.wants(*kind)) == Some(true) {
                watcher.wanted |= kind.bit();
            }
        }
        watcher
    }

    pub(super) const fn wants(&self, kind: OperationKind) -> bool {
        self.wanted & kind.bit() != 0
    }

    /// Calls the hook. A panic is its own affair.
    pub(super) fn call<R>(&self, call: impl FnOnce(&dyn Hook) -> R) -> Option<R> {
        let answer = guarded(|| call(&*self.hook));
        if answer.is_none() {
            self.panicked();
        }
        answer
    }

    #[cold]
    pub(super) fn panicked(&self) {
        if !self.has_panicked.swap(true, Ordering::Relaxed) {
            #[cfg(feature = "tracing")]
            tracing::error!(target: "larder", "a hook panicked; its later panics are not logged");
        }
    }
}

/// Runs what belongs to a hook: nothing that it calls is told to hooks. `None` where it panics.
pub(super) fn guarded<R>(call: impl FnOnce() -> R) -> Option<R> {
    struct Leave(bool);

    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = INSIDE.try_with(|inside| inside.set(self.0));
        }
    }

    let _leave = Leave(INSIDE.try_with(|inside| inside.replace(true)).unwrap_or(true));
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|payload| {
            // What it panicked with may panic too when it is dropped, and what that does is not dropped at all.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(again);
            }
        })
        .ok()
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hooks").field(&self.iter().count()).finish()
    }
}
