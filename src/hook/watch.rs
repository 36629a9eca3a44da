use std::{any::Any, sync::Arc};

use super::{Ending, Event, Operation, OperationKind};

/// Is told what a cache does.
///
/// Add it with [`CacheBuilder::hook`](crate::CacheBuilder::hook), or for some calls with
/// [`Cache::with_hooks`](crate::Cache::with_hooks). Every method has a default that does nothing.
///
/// # Contract
///
/// - Every operation has one [`start`](Self::start) and one [`finish`](Self::finish), in this order; a call whose
///   future is dropped ends as [`Cancelled`](crate::OperationOutcome::Cancelled), one that panics as
///   [`Failed`](crate::OperationOutcome::Failed).
/// - What is kept from the start of one operation to its end lives in a [`HookSpan`], which also hears of the parts of
///   the operation: its loads, and what it asks of the backend. A hook that keeps nothing needs `finish` alone.
/// - Several hooks are told in the order in which they were added, at the start and at the end.
/// - Hooks are called in the calls themselves, on their threads, and never while a lock of larder's is held. The time
///   that a hook takes is added to the call, so it should be quick and must not block.
/// - A panic of a hook is caught and breaks nothing. The first one of each hook is logged, with the feature `tracing`.
/// - A hook may call caches, its own included. What it calls is not told to hooks.
///
/// Without hooks none of this costs more than a branch: nothing is allocated, and no clock is read.
///
/// # Examples
///
/// ```
/// use larder::{BackgroundOutcome, Cache, Ending, Event, Hook, Operation, OperationOutcome};
/// use larder_memory::MemoryBackend;
///
/// struct Log;
///
/// impl Hook for Log {
///     fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
///         if ending.outcome == OperationOutcome::Failed {
///             eprintln!("{} {} failed: {:?}", operation.cache, operation.kind.as_str(), ending.failure);
///         }
///     }
///
///     fn event(&self, event: &Event<'_>) {
///         if let Event::BackgroundLoad { key, outcome: BackgroundOutcome::Failed(error), .. } = event {
///             eprintln!("{key} was not refreshed: {:?}", error.downcast_ref::<std::io::Error>());
///         }
///     }
/// }
///
/// let cache = Cache::builder(MemoryBackend::new()).name("users").hook(Log).build()?;
/// # let _: Cache<MemoryBackend> = cache;
/// # Ok::<(), larder::Error>(())
/// ```
pub trait Hook: Send + Sync + 'static {
    /// Tells whether this hook wants to hear of operations of this kind. Asked once, when the hook is added; by default
    /// it wants all.
    ///
    /// What no hook wants to hear of costs nothing.
    fn wants(&self, kind: OperationKind) -> bool {
        let _ = kind;
        true
    }

    /// A call begins. What is returned is told of its parts and its end.
    fn start(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        let _ = operation;
        None
    }

    /// An operation, a call or a part of one, has ended.
    fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
        let _ = (operation, ending);
    }

    /// Something has happened that is no operation.
    fn event(&self, event: &Event<'_>) {
        let _ = event;
    }
}

/// One operation, from its start to its end.
///
/// # Examples
///
/// ```
/// use larder::{Cache, Ending, Hook, HookSpan, Operation};
/// use larder_memory::MemoryBackend;
/// use std::sync::mpsc;
///
/// struct Trace(mpsc::SyncSender<String>);
///
/// struct Span(mpsc::SyncSender<String>, &'static str);
///
/// impl Hook for Trace {
///     fn start(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
///         Some(Box::new(Span(self.0.clone(), operation.kind.as_str())))
///     }
/// }
///
/// impl HookSpan for Span {
///     fn child(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
///         Some(Box::new(Span(self.0.clone(), operation.kind.as_str())))
///     }
///
///     fn finish(self: Box<Self>, ending: &Ending<'_>) {
///         let _ = self.0.try_send(format!("{} {}", self.1, ending.outcome.as_str()));
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let (sender, lines) = mpsc::sync_channel(10);
/// let cache = Cache::builder(MemoryBackend::new()).hook(Trace(sender)).build()?;
/// cache.get::<u32>("k").await?;
/// assert_eq!(lines.try_iter().collect::<Vec<_>>(), ["backend_get miss", "get miss"]);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
pub trait HookSpan: Send + Sync + 'static {
    /// A part of this operation begins. By default nobody hears of its end but [`Hook::finish`].
    fn child(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        let _ = operation;
        None
    }

    /// A loader of the caller's is about to be polled on this thread; what is returned is dropped when the poll is over.
    ///
    /// For what is kept per thread, such as the current span. By default nothing is.
    fn enter(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// The operation has ended. A part that can outlive its call may end after it.
    fn finish(self: Box<Self>, ending: &Ending<'_>) {
        let _ = ending;
    }
}

impl<T: Hook + ?Sized> Hook for Arc<T> {
    fn wants(&self, kind: OperationKind) -> bool {
        (**self).wants(kind)
    }

    fn start(&self, operation: &Operation<'_>) -> Option<Box<dyn HookSpan>> {
        (**self).start(operation)
    }

    fn finish(&self, operation: &Operation<'_>, ending: &Ending<'_>) {
        (**self).finish(operation, ending);
    }

    fn event(&self, event: &Event<'_>) {
        (**self).event(event);
    }
}
