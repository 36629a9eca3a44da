//! The commands of a cache in the redis crate's words, and the answers out of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use larder_redis_common::{Command, Reply, Script, Sending};
use redis::{Cmd, Pipeline, RedisResult, Value, aio::MultiplexedConnection, cmd};

use crate::{bounded::bounded, error::Failure};

/// Sends a command over a connection of the user's.
pub(crate) type Foreign = dyn Fn(Cmd) -> BoxFuture<'static, RedisResult<Value>> + Send + Sync;

/// By what a command goes to a server.
#[derive(Clone)]
pub(crate) enum Road {
    Own(MultiplexedConnection),
    /// Behind ASKING, which holds for the next command: both are one write, so that nothing comes between them.
    Asking(MultiplexedConnection),
    Foreign(Arc<Foreign>),
}

impl Road {
    /// The same with ASKING before the command.
    pub(crate) fn asking(self) -> Self {
        match self {
            Self::Own(connection) => Self::Asking(connection),
            other => other,
        }
    }

    /// Sends a command once and waits for its answer, `limit` at the most.
    ///
    /// What has not been written by then is not written any more: the connection skips commands that nobody waits for.
    pub(crate) async fn send(&self, command: Cmd, limit: Duration) -> Result<Value, Failure> {
        let answered = match self {
            Self::Own(connection) => {
                let mut connection = connection.clone();
                bounded(limit, async move { connection.send_packed_command(&command).await }).await
            }
            Self::Asking(connection) => {
                let mut both = Pipeline::with_capacity(2);
                both.add_command(cmd("ASKING")).add_command(command);
                let mut connection = connection.clone();
                let sent = bounded(limit, async move { connection.send_packed_commands(&both, 1, 1).await }).await;
                sent.map(|answers| answers.map(|mut answers| answers.pop().unwrap_or_default()))
            }
            Self::Foreign(send) => bounded(limit, send(command)).await,
        };
        match answered? {
            Err(error) => Err(error.into()),
            Ok(Value::ServerError(error)) => Err(error.into()),
            Ok(value) => Ok(value),
        }
    }
}

/// Runs a command.
pub(crate) async fn run(road: Road, command: Command, limit: Duration) -> Result<Reply, Failure> {
    let needed = match road {
        Road::Asking(_) => Sending::BySource,
        Road::Own(_) | Road::Foreign(_) => Sending::ByHash,
    };
    let began = Instant::now();
    let value = match road.send(in_words(&command, needed), limit).await {
        Err(failure) if is_unknown_script(&failure) => {
            let left = limit.saturating_sub(began.elapsed());
            road.send(in_words(&command, Sending::BySource), left).await?
        }
        answer => answer?,
    };
    Ok(reply(value))
}

/// Runs commands as one write. A failure is that of all.
pub(crate) async fn run_all(
    road: Road,
    commands: Vec<Command>,
    limit: Duration,
) -> Result<Vec<Result<Reply, Failure>>, Failure> {
    let began = Instant::now();
    let Road::Own(connection) = road else {
        let each = commands.into_iter().map(|command| run(road.clone(), command, limit));
        return Ok(join_all(each).await);
    };
    let mut whole = Pipeline::with_capacity(commands.len());
    for command in &commands {
        whole.add_command(in_words(command, Sending::ByHash));
    }
    let answers = all(connection.clone(), whole, commands.len(), limit).await?;
    let mut replies: Vec<Result<Reply, Failure>> = answers.into_iter().map(answered).collect();

    // Those of scripts the server does not know go out again, together as before.
    let mut again = Pipeline::new();
    let mut places = Vec::new();
    for (place, (command, reply)) in commands.iter().zip(&replies).enumerate() {
        if reply.as_ref().is_err_and(is_unknown_script) {
            again.add_command(in_words(command, Sending::BySource));
            places.push(place);
        }
    }
    if places.is_empty() {
        return Ok(replies);
    }
    let left = limit.saturating_sub(began.elapsed());
    let answers = match all(connection, again, places.len(), left).await {
        Ok(answers) => answers.into_iter().map(answered).collect(),
        Err(failure) => vec![Err(failure); places.len()],
    };
    for (place, answer) in places.into_iter().zip(answers) {
        replies[place] = answer;
    }
    Ok(replies)
}

async fn all(
    mut connection: MultiplexedConnection,
    commands: Pipeline,
    count: usize,
    limit: Duration,
) -> Result<Vec<Value>, Failure> {
    let sent = async move { connection.send_packed_commands(&commands, 0, count).await };
    Ok(bounded(limit, sent).await??)
}

fn answered(value: Value) -> Result<Reply, Failure> {
    match value {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(reply(value)),
    }
}

fn is_unknown_script(failure: &Failure) -> bool {
    matches!(failure, Failure::Answered(words) if words.starts_with("NOSCRIPT"))
}

fn in_words(command: &Command, needed: Sending) -> Cmd {
    match command {
        Command::Get { key } => cmd("GET").arg(&key[..]).take(),
        Command::GetMany { keys } => of_all("MGET", keys),
        Command::Set {
            key,
            value,
            millis,
            if_absent,
        } => {
            let mut words = cmd("SET");
            words.arg(&key[..]).arg(&value[..]);
            if let Some(millis) = millis {
                words.arg("PX").arg(millis);
            }
            if *if_absent {
                words.arg("NX");
            }
            words
        }
        Command::Unlink { key } => cmd("UNLINK").arg(&key[..]).take(),
        Command::UnlinkMany { keys } => of_all("UNLINK", keys),
        Command::Expire { key, millis } => cmd("PEXPIRE").arg(&key[..]).arg(millis).take(),
        Command::Script {
            script,
            key,
            args,
            sending,
        } => script_in_words(script, key, args, sending.or(needed)),
    }
}

fn of_all(name: &'static str, keys: &[Bytes]) -> Cmd {
    let mut words = cmd(name);
    for key in keys {
        words.arg(&key[..]);
    }
    words
}

fn script_in_words(script: &Script, key: &Bytes, args: &[Bytes], sending: Sending) -> Cmd {
    let mut words = match sending {
        Sending::ByHash => cmd("EVALSHA").arg(script.hash()).take(),
        Sending::BySource => cmd("EVAL").arg(script.source()).take(),
    };
    words.arg(1).arg(&key[..]);
    for arg in args {
        words.arg(&arg[..]);
    }
    words
}

/// The bytes of an answer are its own, and exactly as many: they are taken over without a copy.
pub(crate) fn reply(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nil,
        Value::Okay => Reply::Okay,
        Value::Int(number) => Reply::Integer(number),
        Value::BulkString(bytes) => Reply::Bytes(bytes.into()),
        Value::Array(parts) => Reply::Array(parts.into_iter().map(reply).collect()),
        _ => Reply::Other,
    }
}
