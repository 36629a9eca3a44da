//! Making one connection to one server.

use std::{io, path::PathBuf, sync::Arc};

use futures::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use larder_redis_common::{Host, Settings, Topology, is_final, printable};
use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, RedisError, Value, aio::MultiplexedConnection,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    address,
    error::{Failure, reason, system_error, system_reason},
    sentinel,
};

/// How many commands wait for the socket before callers do. What callers pile up is bounded by their places in flight; a
/// command of theirs is in the queue as soon as it is first polled, so that commands go out in the order of their polls.
const QUEUE: usize = 1 << 20;

/// How much of an answer that makes no sense is quoted.
const QUOTED: usize = 100;

/// A connection, and the future that drives it.
pub(crate) type Made = (MultiplexedConnection, BoxFuture<'static, ()>);

/// Why there is no connection.
#[derive(Debug, Clone)]
pub(crate) struct Setback {
    pub(crate) reason: String,
    /// Whether trying again will not help: the address, the certificate or the password is wrong.
    pub(crate) is_final: bool,
}

/// Where a connection goes to.
#[derive(Clone)]
pub(crate) enum Place {
    Server(Host),
    Socket(PathBuf),
    /// Wherever the sentinels say that the primary is.
    Primary,
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) settings: Arc<Settings>,
    pub(crate) place: Place,
    #[cfg(feature = "rustls")]
    pub(crate) tls: Option<tokio_rustls::TlsConnector>,
}

impl Setback {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_final: false,
        }
    }

    pub(crate) fn finally(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            is_final: true,
        }
    }
}

impl From<io::Error> for Setback {
    fn from(error: io::Error) -> Self {
        Self {
            reason: system_reason(&error),
            is_final: is_refusal_of_tls(&error),
        }
    }
}

impl From<RedisError> for Setback {
    fn from(error: RedisError) -> Self {
        Self {
            reason: reason(&error),
            is_final: system_error(&error).is_some_and(is_refusal_of_tls),
        }
    }
}

impl From<Failure> for Setback {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Late => Self::new("no answer in time"),
            Failure::Answered(words) => Self {
                is_final: is_final(&words),
                reason: words,
            },
            Failure::Broken(reason) => Self::new(reason),
        }
    }
}

/// Tells whether a TLS handshake failed because one side does not trust the other, or does not speak TLS.
#[cfg(feature = "rustls")]
fn is_refusal_of_tls(error: &io::Error) -> bool {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};

    let refusal = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(
        refusal,
        Some(AlertReceived(_) | InvalidCertificate(_) | InvalidMessage(_))
    )
}

#[cfg(not(feature = "rustls"))]
fn is_refusal_of_tls(_error: &io::Error) -> bool {
    false
}

impl Connector {
    /// Connects and greets, for as long as that takes.
    pub(crate) async fn connect(&self) -> Result<Made, Setback> {
        let host = match &self.place {
            Place::Server(host) => host,
            Place::Primary => &sentinel::primary(self).await?,
            #[cfg(unix)]
            Place::Socket(path) => {
                let stream = tokio::net::UnixStream::connect(path).await?;
                return self.greet(multiplexed(stream).await?).await;
            }
            #[cfg(not(unix))]
            Place::Socket(_) => return Err(Setback::finally("this system has no unix sockets")),
        };
        self.greet(self.open(host).await?).await
    }

    /// Connects to a server without a greeting.
    pub(crate) async fn open(&self, host: &Host) -> Result<Made, Setback> {
        let stream = address::connect(host).await?;
        stream.set_nodelay(true)?;
        #[cfg(feature = "rustls")]
        if let Some(tls) = &self.tls {
            let name = rustls::pki_types::ServerName::try_from(host.name.clone())
                .map_err(|_| Setback::finally("its name can not be in a certificate"))?;
            return multiplexed(tls.connect(name, stream).await?).await;
        }
        multiplexed(stream).await
    }

    async fn greet(&self, made: Made) -> Result<Made, Setback> {
        let settings = &self.settings;
        let (user, password) = (settings.user.as_deref(), settings.password.as_deref());
        let mut greeting = vec![hello(settings.resp3.unwrap_or(false), user, password)];
        if let Some(database) = settings.database {
            greeting.push(redis::cmd("SELECT").arg(database).take());
        }
        let (mut made, _) = said(made, &greeting).await?;
        if let Topology::Sentinel { .. } = settings.topology {
            made = sentinel::check_role(made).await?;
        }
        Ok(made)
    }
}

/// HELLO where RESP3 is wanted, else AUTH where there is a password, else PING: a server that wants a password says so.
pub(crate) fn hello(resp3: bool, user: Option<&str>, password: Option<&str>) -> Cmd {
    match (resp3, password) {
        (true, None) => redis::cmd("HELLO").arg(3).take(),
        (true, Some(password)) => redis::cmd("HELLO")
            .arg(&["3", "AUTH", user.unwrap_or("default"), password])
            .take(),
        (false, Some(password)) => redis::cmd("AUTH").arg(user).arg(password).take(),
        (false, None) => redis::cmd("PING"),
    }
}

/// Says something on a connection that nobody drives yet. The answers are in the order of the commands.
pub(crate) async fn said(made: Made, commands: &[Cmd]) -> Result<(Made, Vec<Value>), Setback> {
    let (connection, driver) = made;
    let mut speaking = connection.clone();
    let talk = async {
        let mut answers = Vec::with_capacity(commands.len());
        for command in commands {
            match speaking.send_packed_command(command).await? {
                Value::ServerError(error) => return Err(Setback::from(Failure::from(error))),
                answer => answers.push(answer),
            }
        }
        Ok(answers)
    };
    match select(talk.boxed(), driver).await {
        Either::Left((answers, driver)) => Ok(((connection, driver), answers?)),
        // What the driver was told, it has told the talk, which is not polled again by itself.
        Either::Right(((), talk)) => match talk.now_or_never() {
            Some(Err(setback)) => Err(setback),
            _ => Err(Setback::new("the server ended the connection")),
        },
    }
}

/// Nothing is said here: the greeting of the redis crate's own tells neither the server's words for a refusal, nor a
/// server that wants a password and was offered none.
async fn multiplexed<S>(stream: S) -> Result<Made, Setback>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let silent = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP2)
        .set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE);
    let (connection, driver) = MultiplexedConnection::new_with_config(&silent, stream, config).await?;
    Ok((connection, driver.boxed()))
}

/// The text of an answer.
pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// A setback of a server whose answer makes no sense.
pub(crate) fn senseless(what: &str, answer: &Value) -> Setback {
    let answer: String = format!("{answer:?}").chars().take(QUOTED).collect();
    Setback::new(printable(&format!("{what} answered {answer}")).into_owned())
}
