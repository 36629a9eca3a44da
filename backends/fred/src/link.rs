//! The one connection that managers and backends share.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use crossbeam_utils::CachePadded;
use fred::{
    clients::{Client, WithOptions},
    error::Error as FredError,
    interfaces::{ClientLike, EventInterface},
    types::{
        ConnectHandle,
        config::{Blocking, Config, Options, Server},
    },
};
use futures::future::{Either, OptionFuture, join, join_all, select};
use larder::{Error, ErrorKind, Result};
use larder_redis_common::{Boxes, Closing, Contact, Context, Deadlines, Driver, Settings, Shared, Silence, late};
use parking_lot::{Mutex, RwLock};
use tokio::{sync::broadcast, time::timeout};

use crate::{
    cluster::Cluster,
    config, error,
    quoting::{Asking, Quoting},
};

type Failures = broadcast::Receiver<(FredError, Option<Server>)>;

pub(crate) struct Link {
    /// Itself, for what goes on after a call's future was dropped and must not keep the connection.
    pub(crate) this: Weak<Link>,
    /// Locked by every call; what lies beside it is only read.
    pub(crate) client: CachePadded<RwLock<Current>>,
    pub(crate) options: Options,
    pub(crate) shared: Shared,
    pub(crate) silence: Silence,
    pub(crate) deadlines: Deadlines,
    pub(crate) boxes: Boxes,
    /// Whether GET needs no runtime around it: on a cluster a connection may have to be waited for, and a blocking command
    /// of the user's may have to be interrupted.
    pub(crate) reads_anywhere: bool,
    connect_timeout: Duration,
    /// The connections to the nodes, where this is a cluster.
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// The task that drives the connection, behind those of replaced ones that are ending; none for a client of the
    /// user's, and after closing.
    tasks: Mutex<Vec<Task>>,
    pub(crate) quoting: Arc<Quoting>,
    asking: Mutex<Option<Asking>>,
    /// What fred reports of its attempts to connect, read only when an error needs a reason.
    failures: Mutex<(Failures, Option<String>)>,
}

/// The client that has the connection now.
pub(crate) struct Current {
    client: Client,
    /// The same with the options of reads, whose deadline is kept without fred. Ready to be cloned, which is once per call.
    pub(crate) reader: WithOptions<Client>,
}

impl Current {
    fn new(client: Client, options: &Options) -> Self {
        let reader = client.with_options(&Options {
            timeout: Some(Duration::ZERO),
            ..options.clone()
        });
        Self { client, reader }
    }
}

impl Link {
    /// Builds a connection that is not yet being made, whose server is to be [asked](Quoting) or not.
    pub(crate) fn new(servers: Config, settings: &Settings, driver: Driver, asks: bool) -> Result<Arc<Self>> {
        let built = {
            let _entered = driver.handle().enter();
            config::builder(servers, settings).build()
        };
        let client = built.map_err(|error| {
            Error::new(ErrorKind::InvalidInput, error::printable(error.details())).with_source(error)
        })?;
        Ok(Self::around(client, settings, driver, asks))
    }

    /// Wraps a client that its owner connects and closes.
    pub(crate) fn of_client(client: Client, driver: Driver) -> Arc<Self> {
        let settings = config::settings_of(&client.client_config());
        let link = Self::around(client, &settings, driver, true);
        link.ask();
        link
    }

    fn around(client: Client, settings: &Settings, driver: Driver, asks: bool) -> Arc<Self> {
        let failures = client.error_rx();
        let reads_anywhere = !client.is_clustered() && client.client_config().blocking != Blocking::Interrupt;
        let quoting = Arc::new(Quoting::new(&client, asks));
        let cluster = client.is_clustered();
        let cluster = cluster.then(|| {
            let handle = driver.handle().clone();
            Arc::new(Cluster::new(client.client_config(), settings.clone(), handle))
        });
        // On every command but GET and MGET: bounded by fred itself, because a dropped future leaves its command in fred's
        // queue to be sent later, where one that timed out is skipped.
        let options = Options {
            timeout: Some(settings.deadline),
            fail_fast: true,
            max_attempts: Some(1),
            ..Options::default()
        };
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            client: CachePadded::new(RwLock::new(Current::new(client, &options))),
            options,
            deadlines: Deadlines::new(settings.deadline, driver.handle().clone()),
            boxes: Boxes::default(),
            reads_anywhere,
            shared: Shared::new(settings, driver),
            silence: Silence::new(settings.deadline),
            connect_timeout: settings.connect_timeout,
            cluster,
            tasks: Mutex::new(Vec::new()),
            quoting,
            asking: Mutex::new(None),
            failures: Mutex::new((failures, None)),
        })
    }

    /// The client that has the connection now.
    pub(crate) fn client(&self) -> Client {
        self.client.read().client.clone()
    }

    /// Starts to connect in the background, and to connect again whenever the connection is lost.
    pub(crate) fn begin(&self) {
        self.connect(&mut self.tasks.lock());
    }

    fn connect(&self, tasks: &mut Vec<Task>) {
        self.ask();
        let _entered = self.shared.driver.handle().enter();
        tasks.push(Task(self.client().connect()));
    }

    /// Asks the servers to come what fred has to know of them.
    fn ask(&self) {
        let handle = self.shared.driver.handle();
        *self.asking.lock() = Asking::begin(&self.client(), &self.quoting, &self.options, handle);
    }

    /// Starts to connect and waits for the first attempt, within the connect timeout.
    pub(crate) async fn first_contact(&self) -> Contact {
        let client = self.client();
        let mut failures = client.error_rx();
        let mut connected = pin!(client.wait_for_connect());
        // The first poll subscribes to the event; only then may it happen.
        let _ = futures::poll!(&mut connected);
        self.begin();
        let first = timeout(self.connect_timeout, async {
            match select(connected, pin!(failures.recv())).await {
                Either::Left((connected, _)) => connected,
                Either::Right((Ok((failure, _)), _)) => Err(failure),
                Either::Right((Err(_), _)) => Err(FredError::new_canceled()),
            }
        });
        let began = Instant::now();
        match first.await {
            Ok(Ok(())) => {
                let left = self.connect_timeout.saturating_sub(began.elapsed());
                if let Some(cluster) = &self.cluster {
                    cluster.open(&client, left).await;
                } else {
                    self.quoting.asked(left).await;
                }
                Contact::Made
            }
            Ok(Err(failure)) if error::is_final(&failure) => {
                Contact::Refused(error::refused(&failure, self.shared.servers()))
            }
            Ok(Err(failure)) => Contact::Away(error::convert(&failure, &self.context(false))),
            Err(_) => Contact::Away(late(self.shared.servers(), self.connect_timeout)),
        }
    }

    /// Drops a connection that went silent and makes a new one.
    ///
    /// fred does neither while it has commands to write: the peer of a connection that broke without a word is asked
    /// again and again until the kernel gives up, minutes later.
    ///
    /// The new connection is a new client's. One that connects again shares its state and the count of its queue with
    /// the task that is being aborted: whichever of the two is later wins, and what is left in the old queue stays
    /// counted, after which fred no longer flushes.
    pub(crate) fn replace_connection(&self) {
        let mut tasks = self.tasks.lock();
        if self.shared.is_closed() || tasks.is_empty() {
            return;
        }
        tasks.retain(|task| !task.0.is_finished());
        for silent in tasks.iter() {
            silent.0.abort();
        }
        let fresh = {
            let _entered = self.shared.driver.handle().enter();
            self.client.read().client.clone_new()
        };
        self.failures.lock().0 = fresh.error_rx();
        *self.client.write() = Current::new(fresh, &self.options);
        self.connect(&mut tasks);
    }

    /// Ends the connection and the task that drives it. A client of the user's is left alone.
    pub(crate) fn close(&self) -> Closing {
        self.shared.close(|| {
            let tasks = std::mem::take(&mut *self.tasks.lock());
            *self.asking.lock() = None;
            self.deadlines.close();
            // fred itself leaves the connected state before it sends QUIT, which `fail_fast` would take for an outage.
            let options = Options {
                fail_fast: false,
                ..self.options.clone()
            };
            let client = self.client().with_options(&options);
            let nodes = self.cluster.as_ref().map(|cluster| cluster.close());
            let limit = self.shared.deadline;
            async move {
                join(end(tasks, client, limit), OptionFuture::from(nodes)).await;
            }
        })
    }

    /// What an error of a command needs to know.
    #[cold]
    pub(crate) fn context(&self, writes: bool) -> Context<'_> {
        Context {
            servers: self.shared.servers(),
            deadline: self.shared.deadline,
            last_failure: self.last_failure(),
            writes,
        }
    }

    fn last_failure(&self) -> Option<String> {
        if self.client.read().client.is_connected() {
            return None;
        }
        let mut failures = self.failures.lock();
        let (reports, last) = &mut *failures;
        loop {
            match reports.try_recv() {
                Ok((failure, _)) => *last = Some(error::printable(failure.details()).into_owned()),
                Err(broadcast::error::TryRecvError::Lagged(_)) => {}
                Err(_) => return last.clone(),
            }
        }
    }
}

/// The task that drives a connection and ends with this value.
///
/// It holds the client, so dropping the client alone would leave both, and the connection, behind.
struct Task(ConnectHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Ends a connection within `limit`.
async fn end(mut tasks: Vec<Task>, client: WithOptions<Client>, limit: Duration) {
    if tasks.is_empty() {
        return;
    }
    // QUIT lets answers arrive that are under way; the task then ends by itself. The abort is for a server that does
    // not answer.
    let ended = timeout(limit, async {
        let _ = client.quit().await;
        join_all(tasks.iter_mut().map(|task| &mut task.0)).await;
    });
    if ended.await.is_err() {
        for task in &mut tasks {
            task.0.abort();
            if !task.0.is_finished() {
                let _ = (&mut task.0).await;
            }
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("servers", &self.shared.servers())
            .field("state", &self.client.read().client.state())
            .field("in_flight", &self.shared.bound.in_flight())
            .finish_non_exhaustive()
    }
}
