//! The nodes of a cluster, each with a connection of its own.
//!
//! fred's own client for clusters drives all connections in one task, which connects to every node again before it goes
//! on: one dead primary would stop all keys. It also reads the answer to ASKING past the answers that are under way on
//! the same connection. So that client only keeps the map of the slots up to date, and commands go to clients that
//! know one server each.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use fred::{
    clients::{Client, WithOptions},
    error::{Error as FredError, ErrorKind as FredKind},
    interfaces::{ClientLike, ClusterInterface},
    types::{
        ClusterHash, CustomCommand, Value,
        cluster::ClusterRouting,
        config::{Config, Options, Server, ServerConfig},
    },
};
use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use larder::{Error, ErrorKind, Result};
use larder_redis_common::{
    Command, Driver, Permit, REDIRECTIONS, Redirection, Reply, Sending, Settings, Watched, closed, slot_of,
};
use parking_lot::{Mutex, RwLock};
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    error,
    link::Link,
    send::Answer,
    wire::{LEAST, run},
};

/// How often a node in trouble has the map of the slots looked at again, at the most.
const REFRESH: Duration = Duration::from_millis(250);

/// How long a connection is kept that is needed for no slot of the map: a node that takes its first slot in is asked
/// before the map knows it.
const LINGER: Duration = Duration::from_secs(10);

/// How often a connection that is being made is looked at.
const POLL: Duration = Duration::from_millis(1);

type Nodes = HashMap<(Server, Purpose), (Instant, Arc<Node>)>;

pub(crate) struct Cluster {
    config: Config,
    settings: Settings,
    handle: Handle,
    map: RwLock<Option<ClusterRouting>>,
    /// Each with the time it was last needed.
    nodes: Mutex<Nodes>,
    /// The task that has the map looked at again, while there is one.
    refresh: Mutex<Option<JoinHandle<()>>>,
    closed: AtomicBool,
}

/// What a connection to a node is for. ASKING holds for the next command of its connection, so what is asked that way
/// has a connection on which nothing comes between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Purpose {
    Owned,
    Asked,
}

struct Node {
    link: Arc<Link>,
    /// Until when its first connection may still be under way.
    expected: Instant,
    turn: Mutex<()>,
}

impl Cluster {
    pub(crate) fn new(config: Config, settings: Settings, handle: Handle) -> Self {
        Self {
            config,
            settings,
            handle,
            map: RwLock::new(None),
            nodes: Mutex::new(HashMap::new()),
            refresh: Mutex::new(None),
            closed: AtomicBool::new(false),
        }
    }

    /// Connects to every primary that `client` knows of and waits for that, `limit` at the most.
    pub(crate) async fn open(&self, client: &Client, limit: Duration) {
        self.read_map(client);
        let nodes = self
            .primaries()
            .into_iter()
            .filter_map(|server| self.node(&server, Purpose::Owned).ok());
        join_all(nodes.map(|node| async move { node.ready(limit).await })).await;
    }

    /// The primaries that are known, by the newest map there is.
    pub(crate) fn known(&self, whole: &Link) -> Result<Vec<Server>> {
        self.read_map(&whole.client());
        let primaries = self.primaries();
        if primaries.is_empty() {
            return Err(unknown(whole));
        }
        Ok(primaries)
    }

    fn primaries(&self) -> Vec<Server> {
        self.map
            .read()
            .as_ref()
            .map(ClusterRouting::unique_primary_nodes)
            .unwrap_or_default()
    }

    /// The connection to a primary.
    pub(crate) async fn primary(&self, server: &Server) -> Result<Arc<Link>> {
        let node = self.node(server, Purpose::Owned)?;
        node.ready(self.settings.deadline).await;
        Ok(Arc::clone(&node.link))
    }

    /// Asks every primary for an answer and is content with one.
    pub(crate) async fn ping(&self, whole: &Link) -> Result<()> {
        let primaries = self.known(whole)?;
        let mut permit = whole.shared.admit(primaries.len())?;
        let asked = primaries.iter().map(|server| {
            let permit = permit.part();
            async move {
                let primary = self.primary(server).await?;
                primary.ping_by(permit).await
            }
        });
        let answers = join_all(asked).await;
        answers
            .into_iter()
            .reduce(Result::or)
            .unwrap_or_else(|| Err(unknown(whole)))
    }

    /// Ends all connections. Boxed, because a node closes as the whole does.
    pub(crate) fn close(&self) -> BoxFuture<'static, ()> {
        self.closed.store(true, Ordering::Relaxed);
        // Whatever connection is asked for after this lock is never made.
        let nodes: Vec<Arc<Node>> = self.nodes.lock().drain().map(|(_, (_, node))| node).collect();
        Box::pin(async move {
            join_all(nodes.iter().map(|node| node.link.close())).await;
        })
    }

    /// Sends a command to the node that has the slot of its key, and on to wherever that one says it is.
    ///
    /// A node that sends a command on has not run it, so a write is still applied once at the most.
    pub(crate) async fn send(
        self: &Arc<Self>,
        client: &Client,
        command: Command,
        limit: Duration,
        mut permit: Permit,
    ) -> Answer<Reply> {
        let began = Instant::now();
        let left = || limit.saturating_sub(began.elapsed());
        let slot = slot_of(command.key());
        let Some(owner) = self.owner(slot).or_else(|| {
            self.refresh(client);
            self.owner(slot)
        }) else {
            return Answer::none(FredError::new(
                FredKind::Cluster,
                "no known node has the slot of the key",
            ));
        };
        let mut place = (owner, Purpose::Owned);
        let mut redirections = 0;
        loop {
            let (server, purpose) = place;
            let Ok(node) = self.node(&server, purpose) else {
                return Answer::none(FredError::new(FredKind::Routing, "no connection could be prepared"));
            };
            node.ready(left()).await;
            let limit = left().max(LEAST);
            let bounded = node.link.client().with_options(&Options {
                timeout: Some(limit),
                ..node.link.options.clone()
            });
            let mut command = command.clone();
            if let Err(refusal) = node.link.quoting.prepare(&mut command) {
                return Answer {
                    found: Err(refusal),
                    by: Some(Arc::clone(&node.link)),
                };
            }
            // The place in flight goes with the command wherever it is sent on to.
            let found = match purpose {
                Purpose::Owned => {
                    let run = || run(bounded, command, Sending::ByHash);
                    let mut sent = node.link.see_through(permit, limit, run);
                    let found = (&mut sent).await;
                    permit = sent.permit();
                    found
                }
                Purpose::Asked => {
                    let run = || run(bounded.clone(), command, Sending::BySource);
                    let mut sent = node.link.see_through(permit, limit, run);
                    let found = node.ask(&bounded, &mut sent).await;
                    permit = sent.permit();
                    found
                }
            };
            if let Err(error) = &found {
                if let Some(redirection) = self.redirection(error, &server)
                    && redirections < REDIRECTIONS
                {
                    redirections += 1;
                    if redirection.1 == Purpose::Owned {
                        self.refresh(client);
                    }
                    place = redirection;
                    continue;
                }
                if error::kind(error).is_unavailable() {
                    self.refresh(client);
                }
            }
            return Answer {
                found,
                by: Some(Arc::clone(&node.link)),
            };
        }
    }

    /// The primary of a slot. Looked up here: fred's own lookup panics where the first slots have no primary.
    fn owner(&self, slot: u16) -> Option<Server> {
        let map = self.map.read();
        let ranges = map.as_ref()?.slots();
        let after = ranges.partition_point(|range| range.start <= slot);
        let range = &ranges[after.checked_sub(1)?];
        (slot <= range.end).then(|| range.primary.clone())
    }

    /// Takes over the map that `client` has, and lets go of nodes that are no longer in it.
    fn read_map(&self, client: &Client) {
        let Some(map) = client.cached_cluster_state() else {
            return;
        };
        let primaries = map.unique_primary_nodes();
        self.nodes
            .lock()
            .retain(|(server, _), (needed, _)| primaries.contains(server) || needed.elapsed() < LINGER);
        *self.map.write() = Some(map);
    }

    /// Has `client` look at the cluster again in the background, not more often than every [`REFRESH`].
    pub(crate) fn refresh(self: &Arc<Self>, client: &Client) {
        // It looks by itself while it has lost a node; that costs nothing to take over.
        self.read_map(client);
        let mut refresh = self.refresh.lock();
        if refresh.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let (cluster, client) = (Arc::downgrade(self), client.clone());
        let limit = 2 * self.settings.connect_timeout;
        *refresh = Some(self.handle.spawn(async move {
            let _ = timeout(limit, client.sync_cluster()).await;
            if let Some(cluster) = cluster.upgrade() {
                cluster.read_map(&client);
            }
            sleep(REFRESH).await;
        }));
    }

    fn node(&self, server: &Server, purpose: Purpose) -> Result<Arc<Node>> {
        let mut nodes = self.nodes.lock();
        if let Some((needed, node)) = nodes.get_mut(&(server.clone(), purpose)) {
            *needed = Instant::now();
            return Ok(Arc::clone(node));
        }
        if self.closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let mut config = self.config.clone();
        config.server = ServerConfig::Centralized { server: server.clone() };
        // A question that came between ASKING and its command would be asked for that.
        let asks = purpose == Purpose::Owned;
        let link = Link::new(config, &self.settings, Driver::on(self.handle.clone()), asks)?;
        link.begin();
        let node = Arc::new(Node {
            link,
            expected: Instant::now() + self.settings.connect_timeout,
            turn: Mutex::new(()),
        });
        nodes.insert((server.clone(), purpose), (Instant::now(), Arc::clone(&node)));
        Ok(node)
    }

    /// Where a node says that a key is.
    fn redirection(&self, error: &FredError, by: &Server) -> Option<(Server, Purpose)> {
        if *error.kind() != FredKind::Cluster {
            return None;
        }
        let (host, purpose) = match Redirection::parse(error.details(), &by.host)? {
            Redirection::Moved(host) => (host, Purpose::Owned),
            Redirection::Ask(host) => (host, Purpose::Asked),
        };
        let named = Server::new(host.name, host.port);
        // The map knows by which name its certificate goes.
        let server = self
            .primaries()
            .into_iter()
            .find(|server| *server == named)
            .unwrap_or(named);
        Some((server, purpose))
    }
}

#[cold]
fn unknown(whole: &Link) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!(
            "not connected to {}: the nodes of the cluster are not known yet",
            whole.shared.servers()
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

impl Node {
    /// Waits while the first connection is being made. One that was lost is not waited for: its calls fail at once.
    async fn ready(&self, limit: Duration) {
        let until = self.expected.min(Instant::now() + limit);
        // By looking: fred's own wait misses a connection that is made while it begins to wait.
        while !self.link.client().is_connected() && Instant::now() < until {
            sleep(POLL).await;
        }
    }

    /// Sends a command right behind ASKING.
    async fn ask<T>(
        &self,
        bounded: &WithOptions<Client>,
        mut command: impl Future<Output = Result<T, FredError>> + Unpin + Send,
    ) -> Result<T, FredError> {
        let asking = CustomCommand::new_static("ASKING", ClusterHash::FirstKey, false);
        let mut asking = pin!(bounded.custom::<Value, Value>(asking, Vec::new()));
        // Both go into the connection's queue when they are first polled.
        let first = poll_fn(|context| {
            let _turn = self.turn.lock();
            let _ = asking.as_mut().poll(context);
            Poll::Ready(command.poll_unpin(context))
        });
        match first.await {
            Poll::Ready(answer) => answer,
            Poll::Pending => command.await,
        }
    }
}
