//! The commands of a cache in fred's words, and the answers out of them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fred::{
    clients::{Client, WithOptions},
    error::Error as FredError,
    interfaces::{ClientLike, KeysInterface},
    types::{
        ClusterHash, CustomCommand, Expiration, Key, Resp3Frame, SetOptions, Value,
        config::{Options, Server},
    },
};
use larder::Result;
use larder_redis_common::{
    Closing, Command, Connection, Contact, Driver, Permit, Reply, Script, Sending, Settings, Shared, Watched, Wire,
};

use crate::{config, error, link::Link, send::Answer};

/// What is left of a deadline at the least, because a timeout of zero would be none to fred.
pub(crate) const LEAST: Duration = Duration::from_millis(1);

impl Wire for Link {
    /// `None` stands for the only server.
    type Node = Option<Server>;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    async fn send_within(&self, mut command: Command, limit: Duration, permit: Permit) -> Result<Reply> {
        let writes = command.writes();
        let answer = if let Some(cluster) = &self.cluster {
            // Boxed, so that what only clusters need is no part of every call.
            Box::pin(cluster.send(&self.client(), command, limit, permit)).await
        } else {
            let mut limit = limit;
            // Without a connection it fails at once.
            if self.quoting.holds(&command) && self.client().is_connected() {
                let began = Instant::now();
                self.quoting.asked(limit).await;
                limit = limit.saturating_sub(began.elapsed()).max(LEAST);
            }
            self.judge_within(limit, self.quoting.prepare(&mut command), writes)?;
            // Sent once, so that nothing is cloned. What is only read may be sent late, and has no timer of fred's.
            let is_read = matches!(command, Command::Get { .. } | Command::GetMany { .. });
            let unbounded = is_read && limit == self.deadlines.span() && self.deadlines.are_watched();
            let client = if unbounded {
                self.reader()
            } else {
                self.bounded_by(limit)
            };
            let command = || run(client, command, Sending::ByHash);
            Answer::of(if unbounded {
                self.see_through_by(permit, &self.deadlines, command).await
            } else if is_read {
                // It may have no runtime around it, which fred's timer needs.
                let sent = self.see_through(permit, limit, command);
                self.shared.driver.enter(sent).await?
            } else {
                self.see_through(permit, limit, command).await
            })
        };
        answer.judge(self, limit, writes)
    }

    async fn get(&self, key: Bytes, permit: Permit) -> Result<Reply> {
        if self.cluster.is_some() || !self.deadlines.are_watched() {
            return self.send(Command::Get { key }, permit).await;
        }
        // As any other command, without what the others need.
        self.judge(self.quoting.check("GET"), false)?;
        let answer = self.see_through_by(permit, &self.deadlines, || get(self.reader(), key));
        self.judge(answer.await, false).map(reply)
    }

    fn reads_anywhere(&self) -> bool {
        self.reads_anywhere
    }

    fn is_clustered(&self) -> bool {
        self.cluster.is_some()
    }

    fn nodes(&self) -> Result<Vec<Option<Server>>> {
        let Some(cluster) = &self.cluster else {
            return Ok(vec![None]);
        };
        Ok(cluster.known(self)?.into_iter().map(Some).collect())
    }

    async fn page(
        &self,
        node: &Option<Server>,
        cursor: &str,
        pattern: &str,
        count: u32,
        permit: Permit,
    ) -> Result<Reply> {
        let (cursor, pattern) = (cursor.to_owned(), pattern.to_owned());
        let page = |client: WithOptions<Client>| async move {
            client
                .scan_page::<Value, _, _>(cursor, pattern, Some(count), None)
                .await
        };
        if let (Some(cluster), Some(server)) = (&self.cluster, node) {
            let primary = cluster.primary(server).await?;
            primary.judge(primary.quoting.check("SCAN"), false)?;
            let answer = primary.read(permit, page(primary.bounded())).await;
            answer.inspect_err(|_| cluster.refresh(&self.client())).map(reply)
        } else {
            self.judge(self.quoting.check("SCAN"), false)?;
            self.read(permit, page(self.bounded())).await.map(reply)
        }
    }

    fn fmt_state(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Connection for Link {
    fn prepare(settings: &Settings, driver: Driver) -> Result<Arc<Self>> {
        Self::new(config::servers(settings)?, settings, driver, true)
    }

    fn begin(&self) {
        Self::begin(self);
    }

    async fn first_contact(&self) -> Contact {
        Self::first_contact(self).await
    }

    async fn ping(&self) -> Result<()> {
        match &self.cluster {
            Some(cluster) => Box::pin(cluster.ping(self)).await,
            None => self.ping_by(self.shared.admit(1)?).await,
        }
    }

    fn close(&self) -> Closing {
        Self::close(self)
    }
}

async fn get(client: WithOptions<Client>, key: Bytes) -> Result<Value, FredError> {
    client.get(key).await
}

pub(crate) async fn run(client: WithOptions<Client>, command: Command, needed: Sending) -> Result<Reply, FredError> {
    let answer: Result<Value, FredError> = match command {
        Command::Get { key } => get(client, key).await,
        Command::GetMany { keys } => {
            // As fred read it: its own call takes each value for text if it can, and goes over all of them once more.
            let command = CustomCommand::new_static("MGET", ClusterHash::FirstKey, false);
            return client.custom_raw(command, keys).await.and_then(unread);
        }
        Command::Set {
            key,
            value,
            millis,
            if_absent,
        } => {
            let condition = if_absent.then_some(SetOptions::NX);
            client
                .set(key, value, millis.map(Expiration::PX), condition, false)
                .await
        }
        Command::Unlink { key } => client.unlink(key).await,
        Command::UnlinkMany { keys } => client.unlink(all(keys)).await,
        Command::Expire { key, millis } => client.pexpire(key, millis, None).await,
        Command::Script {
            script,
            key,
            args,
            sending,
        } => run_script(client, script, key, args, sending.or(needed)).await,
    };
    answer.map(reply)
}

fn all(keys: Vec<Bytes>) -> Vec<Key> {
    keys.into_iter().map(Key::from).collect()
}

async fn run_script(
    client: WithOptions<Client>,
    script: &'static Script,
    key: Bytes,
    args: Vec<Bytes>,
    sending: Sending,
) -> Result<Value, FredError> {
    // fred's own calls for scripts are those of the client beneath, without its options, and so without the deadline.
    let ask = async |client: &WithOptions<Client>, name, which: &'static str| {
        let command = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
        let mut words = vec![
            Value::from_static_str(which),
            Value::Integer(1),
            Value::Bytes(key.clone()),
        ];
        words.extend(args.iter().cloned().map(Value::Bytes));
        client.custom(command, words).await
    };
    let began = Instant::now();
    if sending == Sending::ByHash {
        match Box::pin(ask(&client, "EVALSHA", script.hash())).await {
            Err(error) if error.details().starts_with("NOSCRIPT") => {}
            answer => return answer,
        }
    }
    let limit = client.options().timeout.unwrap_or_default();
    // Of the client itself: the options of one that has some already would not change.
    let again = (*client).with_options(&Options {
        timeout: Some(limit.saturating_sub(began.elapsed()).max(LEAST)),
        ..client.options().clone()
    });
    Box::pin(ask(&again, "EVAL", script.source())).await
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Null => Reply::Nil,
        Value::Integer(number) => Reply::Integer(number),
        Value::Array(parts) => Reply::Array(parts.into_iter().map(reply).collect()),
        Value::Bytes(bytes) => copied(&bytes),
        // What every write is answered by.
        Value::String(text) if &*text == "OK" => Reply::Bytes(Bytes::from_static(b"OK")),
        Value::String(text) => copied(text.as_bytes()),
        _ => Reply::Other,
    }
}

/// The same for what fred has not made a value of.
fn unread(frame: Resp3Frame) -> Result<Reply, FredError> {
    Ok(match frame {
        Resp3Frame::Null => Reply::Nil,
        Resp3Frame::BlobString { data, .. } | Resp3Frame::SimpleString { data, .. } => copied(&data),
        Resp3Frame::Number { data, .. } => Reply::Integer(data),
        Resp3Frame::Array { data, .. } => Reply::Array(data.into_iter().map(unread).collect::<Result<_, _>>()?),
        Resp3Frame::SimpleError { data, .. } => return Err(error::answered(&data)),
        Resp3Frame::BlobError { data, .. } => return Err(error::answered(&String::from_utf8_lossy(&data))),
        _ => Reply::Other,
    })
}

/// A value of its own. What fred hands out is a slice of the connection's buffer, and keeps all of that in memory: at
/// the least 8 KiB, and next to a large value as much as that takes.
fn copied(text: &[u8]) -> Reply {
    Reply::Bytes(Bytes::copy_from_slice(text))
}
