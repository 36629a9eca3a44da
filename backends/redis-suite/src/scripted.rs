//! A server that answers what a test says.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::Notify,
};

use crate::support::runtime;

/// What becomes of a command.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// These bytes are sent back.
    Say(String),
    /// What a server answers in a handshake that goes well.
    Greet,
    /// Nothing any more on this connection: an answer to a later command would be taken for this one's.
    FallSilent,
    /// Nil in RESP3, after which the server reads no further than the beginning of the next command until it is to go on.
    Stall,
    /// The connection ends.
    HangUp,
}

/// Listens on a free loopback port. Dropping it ends every connection.
pub(crate) struct Scripted {
    port: u16,
    seen: Arc<Seen>,
    runtime: Option<Runtime>,
}

/// What the server has seen, and what it waits for.
#[derive(Default)]
struct Seen {
    accepted: AtomicUsize,
    commands: Mutex<Vec<String>>,
    stalled: AtomicBool,
    go_on: Notify,
}

impl Scripted {
    /// Answers each command, whose words have a space between them, by what `answer` says. It is told the port besides.
    pub(crate) fn start(answer: impl Fn(&str, u16) -> Answer + Send + Sync + 'static) -> Self {
        let runtime = runtime(1);
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, seen) = (Arc::new(answer), Arc::new(Seen::default()));
        let server = Arc::clone(&seen);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                server.accepted.fetch_add(1, Ordering::SeqCst);
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&server));
                tokio::spawn(async move { serve(stream, &seen, |command| answer(command, port)).await });
            }
        });
        Self {
            port,
            seen,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// How many connections were accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// Tells whether it reads no further.
    pub(crate) fn is_stalled(&self) -> bool {
        self.seen.stalled.load(Ordering::SeqCst)
    }

    /// Ends a [stall](Answer::Stall).
    pub(crate) fn go_on(&self) {
        self.seen.go_on.notify_one();
    }

    /// How many commands so far begin with a word.
    pub(crate) fn commands(&self, word: &str) -> usize {
        self.heard(word).len()
    }

    /// The commands so far that begin with a word, in their order.
    pub(crate) fn heard(&self, word: &str) -> Vec<String> {
        let commands = self.seen.commands.lock();
        commands
            .iter()
            .filter(|command| command.starts_with(word))
            .cloned()
            .collect()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(stream: TcpStream, seen: &Seen, answer: impl Fn(&str) -> Answer) {
    let mut stream = BufReader::new(stream);
    let mut silent = false;
    let mut stalls = false;
    while let Some(command) = command(&mut stream).await {
        let said = match answer(&command) {
            Answer::Say(said) => said,
            Answer::Greet => greeting(&command),
            Answer::Stall => {
                stalls = true;
                "_\r\n".to_owned()
            }
            Answer::FallSilent => {
                silent = true;
                String::new()
            }
            Answer::HangUp => return,
        };
        seen.commands.lock().push(command);
        if silent {
            continue;
        }
        if stream.write_all(said.as_bytes()).await.is_err() {
            return;
        }
        if std::mem::take(&mut stalls) && stream.fill_buf().await.is_ok() {
            seen.stalled.store(true, Ordering::SeqCst);
            seen.go_on.notified().await;
        }
    }
}

/// An array of strings, or the one line that some clients greet with; none where the connection has ended.
async fn command(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let first = line(stream).await?;
    let Some(count) = first.strip_prefix('*') else {
        return Some(first);
    };
    let mut words = Vec::new();
    for _ in 0..count.parse().ok()? {
        let length: usize = line(stream).await?.strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; length + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..length]).into_owned());
    }
    Some(words.join(" "))
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    (!line.is_empty()).then(|| line.trim_end().to_owned())
}

fn greeting(command: &str) -> String {
    match command.split(' ').next() {
        Some("HELLO") => "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n",
        Some("PING") => "+PONG\r\n",
        Some("CLIENT") if command.ends_with("ID") => ":1\r\n",
        _ => "+OK\r\n",
    }
    .to_owned()
}
