use std::{collections::VecDeque, sync::Arc, time::Duration};

use larder::{Error, ErrorKind};
use parking_lot::Mutex;

use crate::{
    Operation,
    gate::{Gate, GateState},
};

/// What goes wrong with a [`MemoryBackend`](crate::MemoryBackend), scripted by a test.
///
/// A handle on the script of one store; clones and every clone of the backend share it. A fault is dealt out when a
/// call begins, which is when its future is first polled, and falls on the whole call: each result of a batch then
/// carries the error. An empty batch is no call. A page of a scan is one.
///
/// A call first waits at the gates that were closed when it began, then for its delay, and then fails or acts. What
/// failed was not applied, unless the script says that it was.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use larder::{CacheBackend, ErrorKind, Expiry, SetOptions};
/// use larder_memory::MemoryBackend;
///
/// # futures::executor::block_on(async {
/// let backend = MemoryBackend::new();
/// backend.faults().fail_next_applied(1, ErrorKind::Timeout);
///
/// let options = SetOptions::new(Expiry::Never);
/// let outcome = backend.set("k", Bytes::from("v"), options).await;
/// assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Timeout);
/// // The answer was lost; the write was not.
/// assert!(backend.get("k").await.unwrap().is_some());
/// # });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Faults {
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    failures: VecDeque<Failure>,
    delays: VecDeque<Delay>,
    outage: Option<ErrorKind>,
    gates: Vec<(Option<Operation>, Arc<GateState>)>,
}

#[derive(Debug)]
struct Failure {
    operation: Option<Operation>,
    left: usize,
    kind: ErrorKind,
    is_applied: bool,
}

#[derive(Debug)]
struct Delay {
    left: usize,
    span: Duration,
}

/// What one call has to go through.
pub(crate) struct Plan {
    pub(crate) gates: Vec<Arc<GateState>>,
    pub(crate) delay: Option<Duration>,
    pub(crate) verdict: Verdict,
}

pub(crate) enum Verdict {
    Act,
    Fail(Error),
    ActAndFail(Error),
}

impl Faults {
    /// Fails the next `n` calls, whatever they are, without applying them.
    pub fn fail_next(&self, n: usize, kind: ErrorKind) {
        self.add(None, n, kind, false);
    }

    /// Fails the next `n` calls of one method, without applying them. Calls of others pass.
    pub fn fail_next_of(&self, operation: Operation, n: usize, kind: ErrorKind) {
        self.add(Some(operation), n, kind, false);
    }

    /// Applies the next `n` calls and loses their answers: each one acts, and then fails all the same.
    ///
    /// With [`ErrorKind::Timeout`], the write whose outcome its caller can not know.
    pub fn fail_next_applied(&self, n: usize, kind: ErrorKind) {
        self.add(None, n, kind, true);
    }

    /// As [`fail_next_applied`](Self::fail_next_applied), for the calls of one method.
    pub fn fail_next_applied_of(&self, operation: Operation, n: usize, kind: ErrorKind) {
        self.add(Some(operation), n, kind, true);
    }

    /// Fails every call from now on, without applying it, until [`recover`](Self::recover): the store is away.
    ///
    /// Failures that were scripted one by one are dealt out first.
    pub fn fail_all(&self, kind: ErrorKind) {
        self.script.lock().outage = Some(kind);
    }

    /// Ends every scripted failure and delay. Gates stay closed: they belong to whoever holds them.
    pub fn recover(&self) {
        let mut script = self.script.lock();
        script.failures.clear();
        script.delays.clear();
        script.outage = None;
    }

    /// Delays the next `n` calls by `span` of the backend's own clock.
    ///
    /// Such a call never goes on before the clock has moved so far, and within some milliseconds of real time
    /// after. One that is dropped while it waits is not applied.
    pub fn delay_next(&self, n: usize, span: Duration) {
        self.script.lock().delays.push_back(Delay { left: n, span });
    }

    /// Closes a gate: calls that begin from now on wait at it until it is released or dropped.
    ///
    /// One that is dropped while it waits is not applied.
    pub fn hold(&self) -> Gate {
        self.close(None)
    }

    /// Closes a gate for the calls of one method. Calls of others pass.
    pub fn hold_of(&self, operation: Operation) -> Gate {
        self.close(Some(operation))
    }

    fn close(&self, operation: Option<Operation>) -> Gate {
        let state = Arc::<GateState>::default();
        self.script.lock().gates.push((operation, Arc::clone(&state)));
        Gate::new(state)
    }

    fn add(&self, operation: Option<Operation>, left: usize, kind: ErrorKind, is_applied: bool) {
        self.script.lock().failures.push_back(Failure {
            operation,
            left,
            kind,
            is_applied,
        });
    }

    /// Deals out what falls on a call that begins now.
    pub(crate) fn begin(&self, operation: Operation) -> Plan {
        let mut script = self.script.lock();
        script.gates.retain(|(_, gate)| !gate.is_open());
        let gates = (script.gates.iter())
            .filter(|(only, _)| only.is_none_or(|only| only == operation))
            .map(|(_, gate)| Arc::clone(gate))
            .collect();
        Plan {
            gates,
            delay: script.next_delay(),
            verdict: script.next_verdict(operation),
        }
    }
}

impl Script {
    fn next_delay(&mut self) -> Option<Duration> {
        self.delays.retain(|delay| delay.left > 0);
        let delay = self.delays.front_mut()?;
        delay.left -= 1;
        Some(delay.span)
    }

    fn next_verdict(&mut self, operation: Operation) -> Verdict {
        self.failures.retain(|failure| failure.left > 0);
        let scripted =
            (self.failures.iter_mut()).find(|failure| failure.operation.is_none_or(|only| only == operation));
        let error = |kind| Error::new(kind, "a fault that the test scripted").with_operation(operation.as_str());
        match (scripted, self.outage) {
            (Some(failure), _) => {
                failure.left -= 1;
                if failure.is_applied {
                    Verdict::ActAndFail(error(failure.kind))
                } else {
                    Verdict::Fail(error(failure.kind))
                }
            }
            (None, Some(kind)) => Verdict::Fail(error(kind)),
            (None, None) => Verdict::Act,
        }
    }
}
