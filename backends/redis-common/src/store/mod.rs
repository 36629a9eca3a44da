//! The calls of a backend, for any client.

mod read;
mod scan;
mod sweep;
mod write;

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{
    FutureExt, Stream,
    future::{BoxFuture, join_all},
};
use larder::{
    Batched, CacheBackend, Capabilities, Condition, Entry, Head, Outcome, Result, SetItem, SetOptions, SweepListener,
};

use crate::{
    command::{Command, Reply},
    config::Settings,
    error::closed,
    flight::{Bound, Permit},
    runtime::{Driver, Entered, Spawner},
};

/// How many commands of a batch are under way at once, and how many keys one MGET asks for: more would keep the server
/// from its other clients for long, and a batch's memory grows with it.
const WINDOW: usize = 1024;

/// The end of a connection, which everyone who closes it waits for.
pub type Closing = futures::future::Shared<BoxFuture<'static, ()>>;

/// What every connection has, whichever client it is made by.
#[derive(Debug)]
#[non_exhaustive]
pub struct Shared {
    /// What it runs on.
    pub driver: Driver,
    /// How long a command may take.
    pub deadline: Duration,
    /// The commands in flight.
    pub bound: Bound,
    servers: String,
    wrong_types: AtomicU64,
    closed: AtomicBool,
    closing: OnceLock<Closing>,
}

impl Shared {
    /// Of a connection that is made from `settings`.
    #[must_use]
    pub fn new(settings: &Settings, driver: Driver) -> Self {
        Self {
            driver,
            deadline: settings.deadline,
            bound: Bound::new(settings.max_in_flight),
            servers: settings.servers(),
            wrong_types: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            closing: OnceLock::new(),
        }
    }

    /// Where the connection starts from.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Takes places for `commands`, all or none.
    ///
    /// # Errors
    ///
    /// Overloaded where there is none, and a connection error once it is closed.
    pub fn admit(&self, commands: usize) -> Result<Permit> {
        if self.is_closed() {
            return Err(closed());
        }
        self.bound.admit(commands)
    }

    /// Lets no command in any more, and ends the connection by what `end` makes, for all who close at once.
    ///
    /// The end has a task of its own, so that nobody who closes has to be polled for the others to go on, and whoever
    /// gives up leaves no connection behind.
    pub fn close<F>(&self, end: impl FnOnce() -> F) -> Closing
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.closed.store(true, Ordering::Release);
        let closing = self.closing.get_or_init(|| {
            let ending = self.driver.handle().spawn(end());
            // It fails only where its runtime is gone, and the connection with it.
            ending.map(|_| ()).boxed().shared()
        });
        closing.clone()
    }

    /// Tells whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A client, as far as the calls of a backend need it.
pub trait Wire: Send + Sync + 'static {
    /// A server that holds keys.
    type Node: Clone + Send;

    /// What it has as every client has.
    fn shared(&self) -> &Shared;

    /// Sends a command, once, to the server that has its key, and waits for the answer or the deadline.
    ///
    /// An error of the server's has its own words for a message.
    fn send(&self, command: Command, permit: Permit) -> impl Future<Output = Result<Reply>> + Send {
        self.send_within(command, self.shared().deadline, permit)
    }

    /// [`send`](Self::send) with a deadline of its own, which is neither zero nor longer than that of the connection. What
    /// has not left by then is not sent.
    fn send_within(
        &self,
        command: Command,
        limit: Duration,
        permit: Permit,
    ) -> impl Future<Output = Result<Reply>> + Send;

    /// [`send`](Self::send)s GET.
    fn get(&self, key: Bytes, permit: Permit) -> impl Future<Output = Result<Reply>> + Send {
        self.send(Command::Get { key }, permit)
    }

    /// Sends commands to the only server in their order, all before the first is answered, with one deadline. An answer
    /// each.
    fn send_all(
        &self,
        commands: Vec<Command>,
        limit: Duration,
        mut permit: Permit,
    ) -> impl Future<Output = Vec<Result<Reply>>> + Send {
        join_all(
            commands
                .into_iter()
                .map(move |command| self.send_within(command, limit, permit.part())),
        )
    }

    /// Tells whether `set`s that are under way at the same time are quicker as a batch than each by itself.
    fn gains_by_batched_sets(&self) -> bool {
        false
    }

    /// Tells whether GET and MGET work without a runtime around them.
    fn reads_anywhere(&self) -> bool {
        false
    }

    /// Tells whether keys are spread over several servers by their slots.
    fn is_clustered(&self) -> bool;

    /// Every server that holds keys.
    fn nodes(&self) -> Result<Vec<Self::Node>>;

    /// Sends SCAN with a cursor, a pattern and a count.
    fn page(
        &self,
        node: &Self::Node,
        cursor: &str,
        pattern: &str,
        count: u32,
        permit: Permit,
    ) -> impl Future<Output = Result<Reply>> + Send;

    /// Writes how the connection is, for debugging.
    fn fmt_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A backend on a client's connection, which clones share.
pub struct Store<W> {
    wire: Arc<W>,
}

impl<W: Wire> Store<W> {
    /// A backend on that connection.
    pub fn new(wire: Arc<W>) -> Self {
        Self { wire }
    }

    /// The backend with its concurrent `get`s put together, and its `set`s, where that gains anything.
    ///
    /// # Panics
    ///
    /// With settings that [`Settings::check`] refuses, of which no connection is made.
    #[must_use]
    pub fn batched(self) -> Batched<Self> {
        let (is_clustered, batches_sets) = (self.wire.is_clustered(), self.wire.gains_by_batched_sets());
        let Shared {
            deadline,
            bound,
            driver,
            ..
        } = self.wire.shared();
        let (deadline, calls, spawner) = (*deadline, bound.limit(), Spawner(driver.handle().clone()));
        let batched = Batched::builder(self)
            // As cheap as in batches where they are few, and a change of tasks less.
            .alone(4)
            // A batch of fewer is slower than they are by themselves: the client writes those that come at once together.
            .alone_sets(16)
            .max_in_flight(calls)
            .deadline(deadline)
            // Where the answers come in: woken there, a batch wakes each caller once, and only for its answer.
            .runtime(spawner);
        let batched = if batches_sets { batched } else { batched.without_sets() };
        let batched = batched
            .build()
            .expect("the settings of a connection are checked when it is made");
        // A batch would hold keys of several nodes, and wait for the slowest; and MGET takes keys of one slot.
        if is_clustered { batched.unbatched() } else { batched }
    }

    /// How often `get` or `head` met a key of another Redis type.
    #[must_use]
    pub fn wrong_type_reads(&self) -> u64 {
        self.wire.shared().wrong_types.load(Ordering::Relaxed)
    }

    /// Runs a call on the connection's runtime and names it in its error.
    fn call<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> impl Future<Output = Result<T>> + Send {
        Self::named(operation, self.wire.shared().driver.enter(call))
    }

    /// [`call`](Self::call) for a read.
    fn read<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> impl Future<Output = Result<T>> + Send {
        let entered = if self.wire.reads_anywhere() {
            Driver::pass(call)
        } else {
            self.wire.shared().driver.enter(call)
        };
        Self::named(operation, entered)
    }

    fn named<T>(
        operation: &'static str,
        entered: Entered<'_, impl Future<Output = Result<T>> + Send>,
    ) -> impl Future<Output = Result<T>> + Send {
        // No async block, into which the call would be copied once more.
        entered.map(move |answer| answer.flatten().map_err(|error| error.with_operation(operation)))
    }

    /// [`call`](Self::call) for a batch, whose parts fail by themselves.
    async fn call_many<T>(
        &self,
        operation: &'static str,
        parts: usize,
        call: impl Future<Output = Vec<Result<T>>> + Send,
    ) -> Vec<Result<T>> {
        let answers = self.wire.shared().driver.enter(call).await;
        let answers = answers.unwrap_or_else(|error| (0..parts).map(|_| Err(error.clone())).collect());
        answers
            .into_iter()
            .map(|answer| answer.map_err(|error| error.with_operation(operation)))
            .collect()
    }
}

impl<W: Wire> CacheBackend for Store<W> {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default().with_system("redis")
    }

    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        self.get_joined("", key)
    }

    fn get_joined(&self, prefix: &str, key: &str) -> impl Future<Output = Result<Option<Entry>>> + Send {
        self.read("get", read::get(&*self.wire, prefix, key))
    }

    fn get_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Option<Entry>>>> + Send {
        self.call_many("get_many", keys.len(), read::get_many(&*self.wire, keys))
    }

    fn head(&self, key: &str, n: usize) -> impl Future<Output = Result<Option<Head>>> + Send {
        self.call("head", read::head(&*self.wire, key, n))
    }

    fn set(&self, key: &str, value: Bytes, options: SetOptions) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("set", write::set(&*self.wire, key, value, options))
    }

    fn set_many(&self, items: Vec<SetItem>) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.call_many("set_many", items.len(), write::set_many(&*self.wire, items))
    }

    fn delete(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("delete", write::delete(&*self.wire, key, condition))
    }

    fn delete_many(&self, keys: &[&str]) -> impl Future<Output = Vec<Result<Outcome>>> + Send {
        self.call_many("delete_many", keys.len(), write::delete_many(&*self.wire, keys))
    }

    fn expire(&self, key: &str, after: Duration, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("expire", write::expire(&*self.wire, key, after, condition))
    }

    fn persist(&self, key: &str, condition: Condition) -> impl Future<Output = Result<Outcome>> + Send {
        self.call("persist", write::persist(&*self.wire, key, condition))
    }

    fn scan<'a>(&'a self, pattern: &str) -> impl Stream<Item = Result<Vec<String>>> + Send + use<'a, W> {
        scan::scan(&*self.wire, pattern)
    }

    fn delete_matching(&self, pattern: &str) -> impl Future<Output = Result<u64>> + Send {
        sweep::delete_matching(self, pattern, &|_| ())
    }

    fn delete_matching_with(
        &self,
        pattern: &str,
        progress: &SweepListener<'_>,
    ) -> impl Future<Output = Result<u64>> + Send {
        sweep::delete_matching(self, pattern, progress)
    }
}

impl<W> Clone for Store<W> {
    fn clone(&self) -> Self {
        Self {
            wire: Arc::clone(&self.wire),
        }
    }
}

impl<W: Wire> fmt::Debug for Store<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wire.fmt_state(f)
    }
}
