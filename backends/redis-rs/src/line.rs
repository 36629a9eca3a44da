//! A connection to one server, that is made again whenever it is lost.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, OnceLock, Weak},
    time::{Duration, Instant},
};

use futures::future::{Either, select};
use larder::Result;
use larder_redis_common::{Boxes, Command, Contact, Context, Permit, Reply, Settings, Silence, Watched, late, refused};
use parking_lot::Mutex;
use rand::RngExt;
use redis::{Value, aio::MultiplexedConnection};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::{
    connect::{Connector, Setback},
    error::Failure,
    wire::{self, Foreign, Road},
};

/// How long to wait before the first attempt to connect again, and between later ones at the most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// How long a connection has to last for the next pause to be the first again: a server that lets clients in and throws
/// them out is not to be asked without a pause.
const LASTING: Duration = Duration::from_secs(1);

/// How the connection is.
#[derive(Clone)]
enum State {
    /// The first attempt is under way.
    Begun,
    Up(MultiplexedConnection),
    Down(Setback),
    /// It is the user's, who alone knows how it is.
    Given(Arc<Foreign>),
}

/// Drives the connection. It is all that holds the sender of the state, so that a state without one is over.
struct Task {
    connector: Connector,
    state: watch::Sender<State>,
    replaced: Arc<Notify>,
}

pub(crate) struct Line {
    this: Weak<Self>,
    /// The server, for errors.
    name: String,
    deadline: Duration,
    connect_timeout: Duration,
    handle: Handle,
    state: watch::Receiver<State>,
    replaced: Arc<Notify>,
    /// What has not begun yet.
    task: Mutex<Option<Task>>,
    running: OnceLock<AbortHandle>,
    silence: Silence,
    boxes: Boxes,
}

impl Line {
    /// A connection that is not yet being made.
    pub(crate) fn new(name: String, connector: Connector, handle: Handle) -> Arc<Self> {
        let (sender, state) = watch::channel(State::Begun);
        let settings = Arc::clone(&connector.settings);
        let task = |replaced| Task {
            connector,
            state: sender,
            replaced,
        };
        Self::with(name, &settings, handle, state, Some(task))
    }

    /// A connection of the user's, which is never replaced or ended.
    pub(crate) fn given(send: Arc<Foreign>, name: String, settings: &Settings, handle: Handle) -> Arc<Self> {
        let (_, state) = watch::channel(State::Given(send));
        Self::with(name, settings, handle, state, None::<fn(_) -> _>)
    }

    fn with(
        name: String,
        settings: &Settings,
        handle: Handle,
        state: watch::Receiver<State>,
        task: Option<impl FnOnce(Arc<Notify>) -> Task>,
    ) -> Arc<Self> {
        let replaced = Arc::new(Notify::new());
        let task = task.map(|task| task(Arc::clone(&replaced)));
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            name,
            deadline: settings.deadline,
            connect_timeout: settings.connect_timeout,
            handle,
            state,
            replaced,
            task: Mutex::new(task),
            running: OnceLock::new(),
            silence: Silence::new(settings.deadline),
            boxes: Boxes::default(),
        })
    }

    /// Starts to connect in the background, and to connect again whenever the connection is lost.
    pub(crate) fn begin(&self) {
        if let Some(task) = self.task.lock().take() {
            self.running
                .get_or_init(|| self.handle.spawn(task.run()).abort_handle());
        }
    }

    /// Gives up to connect before it was begun: the state is over then.
    pub(crate) fn never_begin(&self) {
        drop(self.task.lock().take());
    }

    /// Waits for the first attempt to connect. A connection that was lost is not waited for: its calls fail at once.
    pub(crate) async fn ready(&self, limit: Duration) {
        let tried = |state: &State| !matches!(state, State::Begun);
        let mut state = self.state.clone();
        if !tried(&state.borrow()) {
            let _ = timeout(limit, state.wait_for(tried)).await;
        }
    }

    /// Starts to connect and waits for the first attempt, within the connect timeout.
    pub(crate) async fn first_contact(&self) -> Contact {
        self.begin();
        self.ready(self.connect_timeout).await;
        let state = self.state.borrow();
        match &*state {
            State::Up(_) | State::Given(_) => Contact::Made,
            State::Down(setback) if setback.is_final => Contact::Refused(refused(&setback.reason, &self.name)),
            State::Down(setback) => {
                let failure = Failure::Broken(setback.reason.clone());
                Contact::Away(failure.convert(&self.context(false)))
            }
            State::Begun => Contact::Away(late(&self.name, self.connect_timeout)),
        }
    }

    /// The way to the server, or why there is none.
    pub(crate) fn road(&self) -> Result<Road, Failure> {
        match &*self.state.borrow() {
            State::Up(connection) => Ok(Road::Own(connection.clone())),
            State::Given(send) => Ok(Road::Foreign(Arc::clone(send))),
            State::Down(setback) => Err(Failure::Broken(setback.reason.clone())),
            State::Begun => Err(Failure::Broken("the connection is being made".to_owned())),
        }
    }

    /// Sends a command.
    pub(crate) async fn send(&self, command: Command, limit: Duration, permit: Permit) -> Result<Reply, Failure> {
        let road = self.road()?;
        self.see_through(permit, limit, || wire::run(road, command, limit))
            .await
    }

    /// Sends commands as one write. A failure is that of all.
    pub(crate) async fn send_all(
        &self,
        commands: Vec<Command>,
        limit: Duration,
        permit: Permit,
    ) -> Result<Vec<Result<Reply, Failure>>, Failure> {
        let road = self.road()?;
        self.see_through(permit, limit, || wire::run_all(road, commands, limit))
            .await
    }

    /// Sends a command that is none of a cache's.
    pub(crate) async fn ask_by(&self, command: redis::Cmd, permit: Permit, limit: Duration) -> Result<Value, Failure> {
        let road = self.road()?;
        self.see_through(permit, limit, || async move { road.send(command, limit).await })
            .await
    }

    /// Asks the server for what the connection itself needs to know.
    pub(crate) async fn ask(&self, command: redis::Cmd) -> Result<Value, Setback> {
        if let State::Down(setback) = &*self.state.borrow() {
            return Err(setback.clone());
        }
        let answer = self.road()?.send(command, self.deadline).await;
        self.watch(self.deadline, &answer);
        Ok(answer?)
    }

    /// Converts the failure of an answer.
    pub(crate) fn judge<T>(&self, answer: Result<T, Failure>, writes: bool) -> Result<T> {
        self.judge_within(self.deadline, answer, writes)
    }

    /// [`judge`](Self::judge) for an answer that had this long to come.
    pub(crate) fn judge_within<T>(&self, limit: Duration, answer: Result<T, Failure>, writes: bool) -> Result<T> {
        answer.map_err(|failure| {
            failure.convert(&Context {
                deadline: limit,
                ..self.context(writes)
            })
        })
    }

    /// Tells whether the connection is one of the user's.
    pub(crate) fn is_given(&self) -> bool {
        matches!(&*self.state.borrow(), State::Given(_))
    }

    #[cold]
    fn context(&self, writes: bool) -> Context<'_> {
        Context {
            servers: &self.name,
            deadline: self.deadline,
            last_failure: None,
            writes,
        }
    }

    /// Ends the connection and waits until it has ended.
    pub(crate) async fn end(&self) {
        self.never_begin();
        if let Some(running) = self.running.get() {
            running.abort();
        }
        let mut state = self.state.clone();
        while state.changed().await.is_ok() {}
    }
}

impl Watched for Line {
    type Failure = Failure;

    fn this(&self) -> Weak<Self> {
        Weak::clone(&self.this)
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn silence(&self) -> &Silence {
        &self.silence
    }

    fn is_timeout(failure: &Failure) -> bool {
        matches!(failure, Failure::Late)
    }

    fn timeout() -> Failure {
        Failure::Late
    }

    fn boxes(&self) -> &Boxes {
        &self.boxes
    }

    fn replace_connection(&self) {
        self.replaced.notify_waiters();
    }

    async fn probe(&self) {
        if self.is_given() {
            // Its owner sees to it.
            return self.silence.forget();
        }
        // What it answers is in the watch on it.
        let _ = self.ask(redis::cmd("PING")).await;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(running) = self.running.get() {
            running.abort();
        }
    }
}

impl Task {
    /// Connects, and connects again, for ever.
    async fn run(self) {
        let limit = self.connector.settings.connect_timeout;
        let mut pause = PAUSES.0;
        loop {
            let setback = match timeout(limit, self.connector.connect()).await {
                Ok(Ok((connection, driver))) => {
                    let mut replaced = pin!(self.replaced.notified());
                    // What is told from now on is about this connection.
                    replaced.as_mut().enable();
                    self.state.send_replace(State::Up(connection));
                    let began = Instant::now();
                    let setback = match select(driver, replaced).await {
                        Either::Left(_) => Setback::new("the connection was lost"),
                        Either::Right(_) => Setback::new("the connection went silent and was given up"),
                    };
                    if began.elapsed() >= LASTING {
                        pause = PAUSES.0;
                    }
                    setback
                }
                Ok(Err(setback)) => setback,
                Err(_) => Setback::new(format!("no answer within {limit:?}")),
            };
            self.state.send_replace(State::Down(setback));
            // Many clients lose one server at the same moment.
            let more = rand::rng().random_range(Duration::ZERO..=pause / 4);
            sleep(pause + more).await;
            pause = (2 * pause).min(PAUSES.1);
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &*self.state.borrow() {
            State::Begun => "connecting".to_owned(),
            State::Up(_) => "connected".to_owned(),
            State::Given(_) => "given".to_owned(),
            State::Down(setback) => setback.reason.clone(),
        };
        f.debug_struct("Line")
            .field("server", &self.name)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
