//! A relay between a client and a server that breaks the connection in every way a network does.

mod pump;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

/// One of the two ways bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the server: what is asked.
    ToServer,
    /// From the server to the client: what is answered.
    ToClient,
}

impl Direction {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::ToServer, Self::ToClient];
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// They are closed on after this many more of a connection.
    Cut(usize),
    /// Each piece of them arrives this much later.
    Delay(Duration),
    /// They arrive one by one, with this much between them.
    Trickle(Duration),
    /// They vanish while the connection stays open: half-open, as after a firewall forgot it.
    Swallow,
    /// The next of them is answered by an RST, to both sides.
    Reset,
}

/// How those are met who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    /// Accepted, and never spoken to.
    Hanging,
    /// Nobody listens, and those who were connected are reset.
    Closed,
}

#[derive(Debug, Clone, Copy)]
struct Control {
    door: Door,
    to_server: Option<Fault>,
    to_client: Option<Fault>,
    /// Counts the changes: a cut begins to count at its own.
    change: u64,
    /// Counts the times the door was closed: one that is opened again at once has reset everyone all the same.
    closings: u64,
}

impl Control {
    fn fault(&self, direction: Direction) -> Option<Fault> {
        match direction {
            Direction::ToServer => self.to_server,
            Direction::ToClient => self.to_client,
        }
    }
}

/// A relay on a loopback port of its own whose faults can be switched while it runs.
///
/// A switch has taken effect when its call returns, for open connections and new ones. A connection that has lost bytes stays dead
/// after [`heal`](Self::heal): a stream with a hole in it never goes on. Dropping the proxy resets all connections.
///
/// # Examples
///
/// ```no_run
/// use testkit::{Direction, Fault, FaultProxy, RedisServer};
///
/// let server = RedisServer::start();
/// let proxy = FaultProxy::start(server.port());
/// proxy.inject(Direction::ToClient, Fault::Cut(3));
/// // .. what a client of `proxy.url()` makes of it ..
/// proxy.heal();
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    // `None` only while it is being dropped.
    control: Option<watch::Sender<Control>>,
    /// The changes that have taken effect.
    confirmed: Mutex<mpsc::Receiver<u64>>,
    accepted: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl FaultProxy {
    /// Starts a relay to `target` on 127.0.0.1, without a fault.
    ///
    /// # Panics
    ///
    /// Where the machine has no port or no thread left.
    #[must_use]
    pub fn start(target: u16) -> Self {
        let (control, watched) = watch::channel(Control {
            door: Door::Open,
            to_server: None,
            to_client: None,
            change: 0,
            closings: 0,
        });
        let accepted = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime starts");
        // Here and not on the thread, so that it listens before anyone is told the port.
        let listener = {
            let _entered = runtime.enter();
            listen(hold(0))
        };
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let (applied, confirmed) = mpsc::channel();
        let relay = Relay {
            port,
            target,
            control: watched,
            applied,
            accepted: Arc::clone(&accepted),
        };
        let thread = thread::Builder::new()
            .name("fault-proxy".to_owned())
            .spawn(move || runtime.block_on(relay.run(listener)))
            .expect("a thread starts");
        Self {
            port,
            control: Some(control),
            confirmed: Mutex::new(confirmed),
            accepted,
            thread: Some(thread),
        }
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of database 0 behind the relay, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Does `fault` to the bytes of one direction, in place of what was done to them before.
    pub fn inject(&self, direction: Direction, fault: Fault) {
        self.change(|control| match direction {
            Direction::ToServer => control.to_server = Some(fault),
            Direction::ToClient => control.to_client = Some(fault),
        });
    }

    /// Resets every connection and refuses new ones.
    pub fn refuse(&self) {
        self.change(|control| {
            control.door = Door::Closed;
            control.closings += 1;
        });
    }

    /// Accepts new connections and never says a word on them; open ones are left alone.
    pub fn hang(&self) {
        self.change(|control| control.door = Door::Hanging);
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.change(|control| {
            control.door = Door::Open;
            control.to_server = None;
            control.to_client = None;
        });
    }

    fn change(&self, change: impl FnOnce(&mut Control)) {
        let Some(control) = &self.control else { return };
        let confirmed = self.confirmed.lock().expect("nobody panics under this lock");
        control.send_modify(|control| {
            change(control);
            control.change += 1;
        });
        let awaited = control.borrow().change;
        while confirmed.recv().expect("the relay runs") < awaited {}
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.control = None;
        if let Some(thread) = self.thread.take() {
            // A relay that panicked has printed why.
            let _ = thread.join();
        }
    }
}

struct Relay {
    port: u16,
    target: u16,
    control: watch::Receiver<Control>,
    applied: mpsc::Sender<u64>,
    accepted: Arc<AtomicUsize>,
}

impl Relay {
    /// Until the sender of the control is gone; dropping the runtime ends the connections then.
    async fn run(mut self, listener: TcpListener) {
        let (mut door, mut closings) = (Door::Open, 0);
        let mut listener = Some(listener);
        let mut held = None;
        loop {
            tokio::select! {
                changed = self.control.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = *self.control.borrow_and_update();
                    (door, closings) = (now.door, now.closings);
                    if door == Door::Closed {
                        listener = None;
                        // Bound and not listening, it refuses and keeps the port from others.
                        held.get_or_insert_with(|| hold(self.port));
                    } else if let Some(place) = held.take() {
                        listener = Some(listen(place));
                    }
                    let _ = self.applied.send(now.change);
                }
                near = accept(listener.as_ref()) => {
                    self.accepted.fetch_add(1, Ordering::SeqCst);
                    self.serve(near, door, closings);
                }
            }
        }
    }

    fn serve(&self, near: TcpStream, door: Door, closings: u64) {
        let (target, control) = (self.target, self.control.clone());
        tokio::spawn(async move {
            let relayed = async {
                if door == Door::Hanging {
                    return std::future::pending().await;
                }
                // To a server that is gone, the client's connection ends as if by it.
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else {
                    return;
                };
                pump::relay(&near, &far, &control).await;
            };
            let mut closing = control.clone();
            tokio::select! {
                () = relayed => {}
                _ = closing.wait_for(|control| control.closings != closings) => {
                    let _ = near.set_zero_linger();
                }
            }
        });
    }
}

/// Takes a port, any free one for 0, without listening on it.
fn hold(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("a port can be taken again");
    socket
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .unwrap_or_else(|error| panic!("port {port}: {error}"));
    socket
}

fn listen(place: TcpSocket) -> TcpListener {
    place.listen(1024).expect("a bound socket listens")
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    loop {
        match listener {
            None => std::future::pending().await,
            // A client that has gone away already is no connection.
            Some(listener) => {
                if let Ok((near, _)) = listener.accept().await {
                    let _ = near.set_nodelay(true);
                    return near;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
