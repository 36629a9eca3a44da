//! The nodes of a cluster, each with a connection of its own, and the slots between them.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use larder::{Error, ErrorKind, Result};
use larder_redis_common::{
    Command, Contact, Context, Host, Permit, REDIRECTIONS, Redirection, Reply, Shared, Watched, late, refused, slot_of,
};
use parking_lot::{Mutex, RwLock};
use redis::{Value, cmd};
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    connect::{Connector, Place, Setback, senseless},
    error::Failure,
    line::Line,
    map::Map,
    wire,
};

/// How often a node in trouble has the slots asked for again, at the most.
const REFRESH: Duration = Duration::from_millis(250);

/// How long a connection is kept that has no slot: a node that takes its first one in is asked before the map knows it.
const LINGER: Duration = Duration::from_secs(10);

pub(crate) struct Cluster {
    this: Weak<Self>,
    seeds: Vec<Host>,
    /// Makes the connections, each with a place of its own.
    connector: Connector,
    handle: Handle,
    map: RwLock<Map>,
    /// Each with the time it was last needed.
    nodes: Mutex<HashMap<Host, (Instant, Arc<Line>)>>,
    /// The task that asks for the slots again, while there is one.
    refresh: Mutex<Option<JoinHandle<()>>>,
    ended: AtomicBool,
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<Host>, connector: Connector, handle: Handle) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            seeds,
            connector,
            handle,
            map: RwLock::default(),
            nodes: Mutex::default(),
            refresh: Mutex::default(),
            ended: AtomicBool::new(false),
        })
    }

    /// Asks for the slots and connects to every primary, within the connect timeout.
    pub(crate) async fn first_contact(&self, shared: &Shared) -> Contact {
        let limit = self.connector.settings.connect_timeout;
        let began = Instant::now();
        match timeout(limit, self.ask_for_slots()).await {
            Ok(Ok(())) => {
                let left = limit.saturating_sub(began.elapsed());
                let lines: Vec<Arc<Line>> = self.primaries().iter().map(|host| self.line(host)).collect();
                join_all(lines.iter().map(|line| line.ready(left))).await;
                return Contact::Made;
            }
            Ok(Err(setback)) if setback.is_final => {
                return Contact::Refused(refused(&setback.reason, shared.servers()));
            }
            Ok(Err(setback)) => {
                self.refresh();
                let failure = Failure::Broken(setback.reason);
                return Contact::Away(failure.convert(&Context {
                    servers: shared.servers(),
                    deadline: shared.deadline,
                    last_failure: None,
                    writes: false,
                }));
            }
            Err(_) => {}
        }
        self.refresh();
        Contact::Away(late(shared.servers(), limit))
    }

    /// Asks all nodes that are known for the slots, and goes by the first that tells: one that hangs costs nothing.
    async fn ask_for_slots(&self) -> Result<(), Setback> {
        let mut asked: FuturesUnordered<_> = self.known().into_iter().map(|host| self.ask_node(host)).collect();
        let mut setback = Setback::new("no node is known");
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(map) => {
                    self.take(map);
                    return Ok(());
                }
                Err(found) if found.is_final || !setback.is_final => setback = found,
                Err(_) => {}
            }
        }
        Err(setback)
    }

    async fn ask_node(&self, host: Host) -> Result<Map, Setback> {
        let line = self.line(&host);
        line.ready(self.connector.settings.connect_timeout).await;
        let answer = line.ask(cmd("CLUSTER").arg("SLOTS").take()).await?;
        Map::parse(&answer, &host).ok_or_else(|| senseless("CLUSTER SLOTS", &answer))
    }

    /// The nodes to ask: those with slots, and those the connection started from.
    fn known(&self) -> Vec<Host> {
        let mut known = self.primaries();
        known.extend(self.seeds.iter().cloned());
        known.sort();
        known.dedup();
        known
    }

    /// Takes over a map, and lets go of connections that it has no slot for.
    fn take(&self, map: Map) {
        let primaries = map.primaries();
        self.nodes
            .lock()
            .retain(|host, (needed, _)| primaries.contains(host) || needed.elapsed() < LINGER);
        *self.map.write() = map;
    }

    fn primaries(&self) -> Vec<Host> {
        self.map.read().primaries()
    }

    /// Every primary, where any is known.
    pub(crate) fn nodes(&self, shared: &Shared) -> Result<Vec<Host>> {
        let primaries = self.primaries();
        if primaries.is_empty() {
            self.refresh();
            return Err(unknown(shared));
        }
        Ok(primaries)
    }

    /// The connection to a node, which is made where there is none.
    fn line(&self, host: &Host) -> Arc<Line> {
        let mut nodes = self.nodes.lock();
        if let Some((needed, line)) = nodes.get_mut(host) {
            *needed = Instant::now();
            return Arc::clone(line);
        }
        let mut connector = self.connector.clone();
        connector.place = Place::Server(host.clone());
        let line = Line::new(host.to_string(), connector, self.handle.clone());
        if self.ended.load(Ordering::Relaxed) {
            line.never_begin();
        } else {
            line.begin();
        }
        nodes.insert(host.clone(), (Instant::now(), Arc::clone(&line)));
        line
    }

    /// Has the slots asked for again in the background, not more often than every [`REFRESH`].
    pub(crate) fn refresh(&self) {
        let mut refresh = self.refresh.lock();
        let under_way = refresh.as_ref().is_some_and(|task| !task.is_finished());
        if under_way || self.ended.load(Ordering::Relaxed) {
            return;
        }
        let cluster = Weak::clone(&self.this);
        let limit = self.connector.settings.connect_timeout + self.connector.settings.deadline;
        *refresh = Some(self.handle.spawn(async move {
            loop {
                let Some(known) = cluster.upgrade() else { return };
                let found = timeout(limit, known.ask_for_slots()).await;
                drop(known);
                sleep(REFRESH).await;
                // Until a node tells, nobody else may call and ask for it.
                if matches!(found, Ok(Ok(()))) {
                    return;
                }
            }
        }));
    }

    /// Sends a command to the node that has the slot of its key, and on to wherever that one says it is.
    ///
    /// A node that sends a command on has not run it, so a write is still applied once at the most.
    pub(crate) async fn send(
        &self,
        shared: &Shared,
        command: Command,
        limit: Duration,
        mut permit: Permit,
    ) -> Result<Reply> {
        let began = Instant::now();
        let writes = command.writes();
        let Some(mut host) = self.map.read().owner(slot_of(command.key())).cloned() else {
            self.refresh();
            return Err(unknown(shared));
        };
        let (mut asking, mut redirections) = (false, 0);
        loop {
            let line = self.line(&host);
            let left = |began: Instant| limit.saturating_sub(began.elapsed());
            line.ready(left(began)).await;
            let answer = match line.road() {
                Ok(road) => {
                    let road = if asking { road.asking() } else { road };
                    let limit = left(began);
                    let mut sent = line.see_through(permit, limit, || wire::run(road, command.clone(), limit));
                    let answer = (&mut sent).await;
                    // The place in flight goes with the command wherever it is sent on to.
                    permit = sent.permit();
                    answer
                }
                Err(failure) => {
                    self.refresh();
                    return line.judge_within(limit, Err(failure), writes);
                }
            };
            if let Err(failure) = &answer {
                if let Failure::Answered(words) = failure
                    && redirections < REDIRECTIONS
                    && let Some(redirection) = Redirection::parse(words, &host.name)
                {
                    redirections += 1;
                    (host, asking) = match redirection {
                        Redirection::Moved(host) => (host, false),
                        Redirection::Ask(host) => (host, true),
                    };
                    if !asking {
                        self.refresh();
                    }
                    continue;
                }
                if failure.is_away() {
                    self.refresh();
                }
            }
            return line.judge_within(limit, answer, writes);
        }
    }

    /// Asks one node.
    pub(crate) async fn ask(&self, host: &Host, command: redis::Cmd, permit: Permit) -> Result<Value> {
        let (began, limit) = (Instant::now(), self.connector.settings.deadline);
        let line = self.line(host);
        line.ready(limit).await;
        let answer = line
            .ask_by(command, permit, limit.saturating_sub(began.elapsed()))
            .await;
        if answer.is_err() {
            self.refresh();
        }
        line.judge(answer, false)
    }

    /// Asks every primary for an answer and is content with one.
    pub(crate) async fn ping(&self, shared: &Shared) -> Result<()> {
        let nodes = self.nodes(shared)?;
        let mut permit = shared.admit(nodes.len())?;
        let asked = nodes.iter().map(|host| self.ask(host, cmd("PING"), permit.part()));
        let answers = join_all(asked.collect::<Vec<_>>()).await;
        answers
            .into_iter()
            .reduce(Result::or)
            .unwrap_or_else(|| Err(unknown(shared)))
            .map(|_| ())
    }

    /// Ends all connections.
    pub(crate) async fn end(&self) {
        let refresh = {
            let mut refresh = self.refresh.lock();
            self.ended.store(true, Ordering::Relaxed);
            refresh.take()
        };
        if let Some(refresh) = refresh {
            refresh.abort();
            let _ = refresh.await;
        }
        // Whatever connection is asked for after this lock is never made.
        let lines: Vec<Arc<Line>> = self.nodes.lock().values().map(|(_, line)| Arc::clone(line)).collect();
        join_all(lines.iter().map(|line| line.end())).await;
    }
}

#[cold]
fn unknown(shared: &Shared) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!(
            "not connected to {}: no known node has the slot of the key",
            shared.servers()
        ),
    )
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(refresh) = self.refresh.get_mut() {
            refresh.abort();
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.lock();
        let lines: Vec<&Arc<Line>> = nodes.values().map(|(_, line)| line).collect();
        f.debug_list().entries(lines).finish()
    }
}
