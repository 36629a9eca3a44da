//! What managers and backends share: a connection to one server, or those to the nodes of a cluster.

use std::{fmt, sync::Arc, time::Duration};

use futures::FutureExt;
use larder::Result;
use larder_redis_common::{
    Closing, Command, Connection, Contact, Driver, Host, Permit, Reply, Settings, Shared, Topology, Wire,
};
use redis::{aio::ConnectionLike, cmd};
use tokio::time::{sleep, timeout};

use crate::{
    cluster::Cluster,
    connect::{Connector, Place},
    line::Line,
    wire::reply,
};

/// How often commands under way are looked at while a connection closes.
const POLL: Duration = Duration::from_millis(1);

pub(crate) struct Link {
    shared: Shared,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Line(Arc<Line>),
    Cluster(Arc<Cluster>),
}

impl Link {
    /// Wraps a connection that its owner has made.
    pub(crate) fn of_connection<C>(connection: C, driver: Driver) -> Arc<Self>
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let send = move |command: redis::Cmd| {
            let mut connection = connection.clone();
            async move { connection.req_packed_command(&command).await }.boxed()
        };
        // Only its owner knows where it goes to.
        let settings = Settings::new(Topology::Cluster(Vec::new()));
        let name = "the server of the connection given".to_owned();
        let line = Line::given(Arc::new(send), name, &settings, driver.handle().clone());
        Arc::new(Self {
            shared: Shared::new(&settings, driver),
            way: Way::Line(line),
        })
    }
}

impl Way {
    async fn end(&self) {
        match self {
            Self::Line(line) => line.end().await,
            Self::Cluster(cluster) => cluster.end().await,
        }
    }
}

impl Wire for Link {
    /// `None` stands for the only server.
    type Node = Option<Host>;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    async fn send_within(&self, command: Command, limit: Duration, permit: Permit) -> Result<Reply> {
        match &self.way {
            Way::Line(line) => {
                let writes = command.writes();
                line.judge_within(limit, line.send(command, limit, permit).await, writes)
            }
            // Boxed, so that what only clusters need is no part of every call.
            Way::Cluster(cluster) => Box::pin(cluster.send(&self.shared, command, limit, permit)).await,
        }
    }

    async fn send_all(&self, commands: Vec<Command>, limit: Duration, mut permit: Permit) -> Vec<Result<Reply>> {
        match &self.way {
            Way::Line(line) => {
                let count = commands.len();
                let judge = |answer| line.judge_within(limit, answer, true);
                match line.send_all(commands, limit, permit).await {
                    Ok(answers) => answers.into_iter().map(judge).collect(),
                    Err(failure) => vec![judge(Err(failure)); count],
                }
            }
            // Not asked for: the nodes of a cluster have no order between them.
            Way::Cluster(_) => {
                let sent = commands
                    .into_iter()
                    .map(|command| self.send_within(command, limit, permit.part()));
                futures::future::join_all(sent).await
            }
        }
    }

    fn gains_by_batched_sets(&self) -> bool {
        // A pipeline is one write and one wait. A connection of the user's takes commands one by one, and of a cluster each
        // node has a connection of its own.
        matches!(&self.way, Way::Line(line) if !line.is_given())
    }

    fn is_clustered(&self) -> bool {
        matches!(self.way, Way::Cluster(_))
    }

    fn nodes(&self) -> Result<Vec<Option<Host>>> {
        match &self.way {
            Way::Line(_) => Ok(vec![None]),
            Way::Cluster(cluster) => Ok(cluster.nodes(&self.shared)?.into_iter().map(Some).collect()),
        }
    }

    async fn page(
        &self,
        node: &Option<Host>,
        cursor: &str,
        pattern: &str,
        count: u32,
        permit: Permit,
    ) -> Result<Reply> {
        let scan = cmd("SCAN").arg(&[cursor, "MATCH", pattern, "COUNT"]).arg(count).take();
        let answer = match (&self.way, node) {
            (Way::Cluster(cluster), Some(host)) => cluster.ask(host, scan, permit).await,
            (Way::Line(line), _) => line.judge(line.ask_by(scan, permit, self.shared.deadline).await, false),
            (Way::Cluster(cluster), None) => {
                let nodes = cluster.nodes(&self.shared)?;
                cluster.ask(&nodes[0], scan, permit).await
            }
        };
        answer.map(reply)
    }

    fn fmt_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut link = f.debug_struct("Link");
        match &self.way {
            Way::Line(line) => link.field("line", line),
            Way::Cluster(cluster) => link.field("nodes", cluster),
        };
        link.field("in_flight", &self.shared.bound.in_flight()).finish()
    }
}

impl Connection for Link {
    fn prepare(settings: &Settings, driver: Driver) -> Result<Arc<Self>> {
        settings.check("larder-redis-rs", cfg!(feature = "rustls"), cfg!(unix))?;
        let place = match &settings.topology {
            Topology::One(host) => Place::Server(host.clone()),
            Topology::Socket(path) => Place::Socket(path.clone()),
            Topology::Cluster(_) | Topology::Sentinel { .. } => Place::Primary,
        };
        let connector = Connector {
            settings: Arc::new(settings.clone()),
            place,
            #[cfg(feature = "rustls")]
            tls: tls(settings)?,
        };
        let handle = driver.handle().clone();
        let way = match &settings.topology {
            Topology::Cluster(seeds) => Way::Cluster(Cluster::new(seeds.clone(), connector, handle)),
            _ => Way::Line(Line::new(settings.servers(), connector, handle)),
        };
        let shared = Shared::new(settings, driver);
        Ok(Arc::new(Self { shared, way }))
    }

    fn begin(&self) {
        match &self.way {
            Way::Line(line) => line.begin(),
            Way::Cluster(cluster) => cluster.refresh(),
        }
    }

    async fn first_contact(&self) -> Contact {
        match &self.way {
            Way::Line(line) => line.first_contact().await,
            Way::Cluster(cluster) => cluster.first_contact(&self.shared).await,
        }
    }

    async fn ping(&self) -> Result<()> {
        match &self.way {
            Way::Line(line) => {
                let permit = self.shared.admit(1)?;
                let answer = line.ask_by(cmd("PING"), permit, self.shared.deadline).await;
                line.judge(answer, false).map(|_| ())
            }
            Way::Cluster(cluster) => cluster.ping(&self.shared).await,
        }
    }

    fn close(&self) -> Closing {
        let (way, bound, limit) = (self.way.clone(), self.shared.bound.clone(), self.shared.deadline);
        self.shared.close(|| async move {
            // Answers may arrive that are under way.
            let answered = async {
                while bound.in_flight() > 0 {
                    sleep(POLL).await;
                }
            };
            let _ = timeout(limit, answered).await;
            way.end().await;
        })
    }
}

#[cfg(feature = "rustls")]
fn tls(settings: &Settings) -> Result<Option<tokio_rustls::TlsConnector>> {
    if !settings.tls {
        return Ok(None);
    }
    let client = match &settings.tls_config {
        Some(client) => Arc::clone(client),
        None => larder_redis_common::system_tls()?,
    };
    Ok(Some(client.into()))
}
