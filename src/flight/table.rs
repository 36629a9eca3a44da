use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc as StdArc,
    task::Waker,
    time::Duration,
};

use bytes::Bytes;
use futures::future::Shared;

use super::{follower::Follower, leader::Leader, loading, place::Place, waits::Waits};
use crate::{
    clock::Sleep,
    error::Error,
    sync::{Arc, AtomicU64, Mutex, Ordering},
};

/// Every flight under way in one cache, by physical key. Clones are the same table.
#[derive(Clone, Default)]
pub(crate) struct Flights {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    table: Mutex<Table>,
    /// How many loads have begun; orders calls and loads.
    begun: AtomicU64,
    /// Fences of flights that ended with nobody left to release them.
    abandoned: Mutex<Vec<(Box<str>, Bytes)>>,
}

pub(super) type Table = HashMap<Box<str>, Arc<Flight>>;

/// When a call began, in loads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket(u64);

/// What a call saw under its key before it asked for a flight.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sight<'a> {
    /// Nothing that a fence could be.
    Nothing,
    /// A marker, or a value that is being refreshed, that begins with these bytes.
    Fence(&'a [u8]),
    /// It could not see, or does not look. It shares loads that are no better off; in this process an invalidation
    /// takes them out of the table.
    Blind,
}

/// How a flight ended, for everybody on it.
#[derive(Clone)]
pub(crate) enum Landing {
    /// The entry that was loaded, sealed for the key.
    Entry(Bytes),
    /// The leader found a value after all. Some followers may have begun after it was read, and an invalidation may
    /// lie in between, so each reads for itself.
    Found,
    /// The loader's error, whatever its type.
    Failed(StdArc<dyn Any + Send + Sync>),
    Panicked,
    /// The backend's error, where the leader was asked to raise it.
    Raised(Error),
    /// Nothing that can be shared: each follower is on its own.
    Nothing,
}

/// What a call is on a flight.
pub(crate) enum Boarding {
    Leader(Leader),
    Follower(Follower),
    /// The call was made by the very load it would wait for.
    Reentrant,
}

#[derive(Debug)]
pub(crate) struct Flight {
    pub(super) key: Box<str>,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) phase: Phase,
    /// Where the leader was seen last.
    pub(super) place: Place,
    /// The number of the load under way; `None` while none has begun.
    pub(super) load: Option<u64>,
    /// What the load fills against: the first bytes of what must still stand under the key.
    pub(super) fence: Option<Bytes>,
    /// The first bytes of a marker that this flight placed, or tried to, and that nobody has released.
    pub(super) placed: Option<Bytes>,
    /// The entry whose lease this flight holds, as it last wrote it.
    pub(super) held: Option<Bytes>,
    /// Set by an invalidation in this process: what is loaded must not be stored.
    pub(super) voided: bool,
    pub(super) waiting: Waiting,
    /// How long the followers wait, and the one timer of all that wait as long as the first of them.
    pub(super) bound: Option<(Duration, Shared<Sleep>)>,
}

#[derive(Debug)]
pub(super) enum Phase {
    Led,
    /// The leader is gone and a follower has been woken to take over.
    Vacant,
    Landed(Landing),
}

/// The followers that wait, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    wakers: BTreeMap<u64, Option<Waker>>,
    next: u64,
}

impl Waiting {
    pub(super) fn add(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        self.wakers.insert(number, None);
        number
    }

    pub(super) fn wait(&mut self, number: u64, waker: &Waker) {
        match self.wakers.get_mut(&number) {
            Some(Some(old)) if old.will_wake(waker) => {}
            Some(slot) => *slot = Some(waker.clone()),
            None => {}
        }
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.wakers.remove(&number);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    fn len(&self) -> usize {
        self.wakers.len()
    }

    /// The waker of the follower that has waited longest; one that was never polled looks by itself when it is.
    pub(super) fn first(&self) -> Option<Waker> {
        self.wakers.values().find_map(Clone::clone)
    }

    /// Everybody, to be woken: nobody has to leave the list any more.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        std::mem::take(&mut self.wakers).into_values().flatten()
    }
}

impl Flights {
    /// The moment of now; to be taken before the call reads anything.
    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.inner.begun.load(Ordering::SeqCst))
    }

    /// Tells whether any load has begun since `ticket`.
    pub(crate) fn has_begun_since(&self, ticket: Ticket) -> bool {
        self.inner.begun.load(Ordering::SeqCst) != ticket.0
    }

    pub(super) fn lock_table(&self) -> impl std::ops::DerefMut<Target = Table> + '_ {
        self.inner.table.lock()
    }

    pub(super) fn begin(&self) -> u64 {
        self.inner.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Boards the flight of `key` where the sharing rule allows it, else leads a new one.
    pub(crate) fn board(&self, key: &str, ticket: Ticket, sight: Sight<'_>) -> Boarding {
        let mut table = self.inner.table.lock();
        if let Some(flight) = table.get(key) {
            if loading::is_loading(flight) {
                return Boarding::Reentrant;
            }
            let (may_be_shared, would_starve) = {
                let state = flight.state.lock();
                let is_led = matches!(state.phase, Phase::Led);
                (state.may_be_shared(ticket, sight), is_led && state.place.would_starve())
            };
            if may_be_shared
                && !would_starve
                && let Some(waits) = Waits::begin(flight)
            {
                let number = flight.state.lock().waiting.add();
                return Boarding::Follower(Follower::new(self.clone(), Arc::clone(flight), number, waits));
            }
            return Boarding::Leader(
                self.lead(&mut table, key)
                    .instead_of_waiting(may_be_shared || would_starve),
            );
        }
        Boarding::Leader(self.lead(&mut table, key))
    }

    /// Leads a new flight of `key`, unless there is one; for refreshes that nobody has to wait for.
    pub(crate) fn lead_if_none(&self, key: &str) -> Option<Leader> {
        let mut table = self.inner.table.lock();
        if table.contains_key(key) {
            return None;
        }
        Some(self.lead(&mut table, key))
    }

    /// Leads a flight that takes the place of an older one in the table.
    fn lead(&self, table: &mut Table, key: &str) -> Leader {
        let flight = Arc::new(Flight {
            key: key.into(),
            state: Mutex::new(State {
                phase: Phase::Led,
                place: Place::here(),
                load: None,
                fence: None,
                placed: None,
                held: None,
                voided: false,
                waiting: Waiting::default(),
                bound: None,
            }),
        });
        if let Some(older) = table.insert(key.into(), Arc::clone(&flight)) {
            older.leave();
        }
        Leader::new(self.clone(), flight)
    }

    /// Takes the flight of `key` out of the table, so that no later call shares it, and keeps it from storing.
    pub(crate) fn void(&self, key: &str) {
        let mut table = self.inner.table.lock();
        // Every write asks, twice, and most often nothing is being loaded: an empty map would hash the key all the same.
        if table.is_empty() {
            return;
        }
        if let Some(flight) = table.remove(key) {
            flight.state.lock().voided = true;
        }
    }

    /// [`void`](Self::void) for each of `keys`.
    pub(crate) fn void_many(&self, keys: &[&str]) {
        if self.inner.table.lock().is_empty() {
            return;
        }
        for key in keys {
            self.void(key);
        }
    }

    /// [`void`](Self::void) for every key that `matches`.
    pub(crate) fn void_matching(&self, matches: impl Fn(&str) -> bool) {
        let mut table = self.inner.table.lock();
        table.retain(|key, flight| {
            let keep = !matches(key);
            if !keep {
                flight.state.lock().voided = true;
            }
            keep
        });
    }

    /// Takes this very flight out of the table, if it is still there.
    pub(super) fn remove(&self, flight: &Arc<Flight>) {
        let mut table = self.inner.table.lock();
        if table.get(&flight.key).is_some_and(|there| Arc::ptr_eq(there, flight)) {
            table.remove(&flight.key);
        }
    }

    /// Takes this very flight out of the table although its load goes on.
    pub(super) fn displace(&self, flight: &Arc<Flight>) {
        self.remove(flight);
        flight.leave();
    }

    /// Leaves a fence that this process placed to whoever calls [`take_abandoned`](Self::take_abandoned).
    pub(super) fn abandon(&self, key: &str, placed: Option<Bytes>) {
        if let Some(placed) = placed {
            self.inner.abandoned.lock().push((key.into(), placed));
        }
    }

    /// The fences to be released: each key and the first bytes of the marker that was placed there.
    pub(crate) fn take_abandoned(&self) -> Vec<(Box<str>, Bytes)> {
        std::mem::take(&mut self.inner.abandoned.lock())
    }

    /// How many flights are under way.
    pub(crate) fn len(&self) -> usize {
        self.inner.table.lock().len()
    }

    /// How many calls wait for the flights under way.
    pub(crate) fn waiting(&self) -> usize {
        let table = self.inner.table.lock();
        table.values().map(|flight| flight.state.lock().waiting.len()).sum()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("phase", &self.phase)
            .field("load", &self.load)
            .field("voided", &self.voided)
            .finish_non_exhaustive()
    }
}

impl Flight {
    /// Out of the table, an invalidation does not find the flight any more. Its fence makes up for that; a load without
    /// one must not be stored.
    fn leave(&self) {
        let mut state = self.state.lock();
        if state.fence.is_none() {
            state.voided = true;
        }
    }
}

impl State {
    fn may_be_shared(&self, ticket: Ticket, sight: Sight<'_>) -> bool {
        let Some(load) = self.load else {
            return true;
        };
        load > ticket.0
            || match sight {
                Sight::Nothing => false,
                Sight::Fence(seen) => self.fence.as_ref().is_some_and(|fence| fence == seen),
                // A fenced load could be checked by one that sees; one without a fence, by nobody.
                Sight::Blind => self.fence.is_none(),
            }
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("under_way", &self.len()).finish()
    }
}

impl fmt::Debug for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entry(_) => "Entry",
            Self::Found => "Found",
            Self::Failed(_) => "Failed",
            Self::Panicked => "Panicked",
            Self::Raised(_) => "Raised",
            Self::Nothing => "Nothing",
        })
    }
}
