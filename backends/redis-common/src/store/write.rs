//! Writes, each one command or one script.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use larder::{Condition, Error, ErrorKind, Expiry, Outcome, Result, SetItem, SetOptions};

use super::{WINDOW, Wire, read::owned};
use crate::{
    command::{Command, Reply},
    error::unexpected,
    flight::Permit,
    script::{self, Script, Sending},
};

/// A command with the end of what its call gives it, where that is not the connection's deadline.
struct Timed {
    command: Command,
    end: Option<Instant>,
}

impl Timed {
    fn new(command: Command) -> Self {
        Self { command, end: None }
    }

    /// How long it may take from now on, or the error of one that is not to be sent any more.
    fn limit(&self, deadline: Duration) -> Result<Duration> {
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now()));
        match left {
            Some(Duration::ZERO) => Err(overdue()),
            Some(left) => Ok(left.min(deadline)),
            None => Ok(deadline),
        }
    }
}

pub(super) async fn set<W: Wire>(wire: &W, key: &str, value: Bytes, options: SetOptions) -> Result<Outcome> {
    let deadline = wire.shared().deadline;
    let limit = options.deadline.map_or(deadline, |own| own.min(deadline));
    let command = set_command(key, value, options, Sending::ByHash)?;
    one_within(wire, command, limit).await
}

pub(super) async fn set_many<W: Wire>(wire: &W, items: Vec<SetItem>) -> Vec<Result<Outcome>> {
    let began = Instant::now();
    // A script the server does not know yet is sent again, behind writes to the same key that came after it.
    let sending = if has_twins(&items) {
        Sending::BySource
    } else {
        Sending::ByHash
    };
    let commands = items
        .into_iter()
        .map(|item| {
            let end = item.options.deadline.and_then(|own| began.checked_add(own));
            let command = set_command(&item.key, item.value, item.options, sending)?;
            Ok(Timed { command, end })
        })
        .collect();
    batch(wire, commands).await
}

fn set_command(key: &str, value: Bytes, options: SetOptions, sending: Sending) -> Result<Command> {
    options.check()?;
    let SetOptions { expiry, condition, .. } = options;
    let plain = |if_absent, value| {
        let millis = match expiry {
            Expiry::After(span) => Some(millis(span)?),
            Expiry::Never => None,
            _ => return Err(unknown("expiry")),
        };
        let key = owned(key);
        Ok(Command::Set {
            key,
            value,
            millis,
            if_absent,
        })
    };
    let prefix = match condition {
        Condition::Always if expiry != Expiry::Keep => return plain(false, value),
        Condition::IfAbsent => return plain(true, value),
        condition => prefix(condition)?,
    };
    let life = match expiry {
        Expiry::After(span) => millis(span)?.to_string().into(),
        Expiry::Never => Bytes::from_static(b"never"),
        Expiry::Keep => Bytes::from_static(b"keep"),
        _ => return Err(unknown("expiry")),
    };
    Ok(scripted(&script::SET, key, vec![prefix, value, life], sending))
}

pub(super) async fn delete<W: Wire>(wire: &W, key: &str, condition: Condition) -> Result<Outcome> {
    condition.check_for_change()?;
    let command = if condition == Condition::Always {
        unlink(key)
    } else {
        scripted(&script::DELETE, key, vec![prefix(condition)?], Sending::ByHash)
    };
    one(wire, command).await
}

pub(super) async fn delete_many<W: Wire>(wire: &W, keys: &[&str]) -> Vec<Result<Outcome>> {
    let commands = keys.iter().map(|key| Ok(Timed::new(unlink(key))));
    batch(wire, commands.collect()).await
}

fn unlink(key: &str) -> Command {
    Command::Unlink { key: owned(key) }
}

pub(super) async fn expire<W: Wire>(wire: &W, key: &str, after: Duration, condition: Condition) -> Result<Outcome> {
    condition.check_for_change()?;
    let millis = millis(after)?;
    let command = if condition == Condition::Always {
        let key = owned(key);
        Command::Expire { key, millis }
    } else {
        let args = vec![prefix(condition)?, millis.to_string().into()];
        scripted(&script::EXPIRE, key, args, Sending::ByHash)
    };
    one(wire, command).await
}

pub(super) async fn persist<W: Wire>(wire: &W, key: &str, condition: Condition) -> Result<Outcome> {
    condition.check_for_change()?;
    let command = if condition == Condition::Always {
        scripted(&script::PERSIST_ANY, key, Vec::new(), Sending::ByHash)
    } else {
        scripted(&script::PERSIST, key, vec![prefix(condition)?], Sending::ByHash)
    };
    one(wire, command).await
}

fn scripted(script: &'static Script, key: &str, args: Vec<Bytes>, sending: Sending) -> Command {
    Command::Script {
        script,
        key: owned(key),
        args,
        sending,
    }
}

async fn one<W: Wire>(wire: &W, command: Command) -> Result<Outcome> {
    one_within(wire, command, wire.shared().deadline).await
}

async fn one_within<W: Wire>(wire: &W, command: Command, limit: Duration) -> Result<Outcome> {
    let judge = judge(&command);
    let permit = wire.shared().admit(1)?;
    judge(wire.send_within(command, limit, permit).await?)
}

/// What the answer to a command means.
fn judge(command: &Command) -> fn(Reply) -> Result<Outcome> {
    match command {
        Command::Set { if_absent: true, .. } => |reply| match reply {
            Reply::Nil => Ok(Outcome::Mismatch),
            reply => written(&reply),
        },
        Command::Set { .. } => |reply| written(&reply),
        Command::Script { .. } => |reply| match reply {
            Reply::Integer(script::DONE) => Ok(Outcome::Done),
            Reply::Integer(script::MISSING) => Ok(Outcome::Missing),
            Reply::Integer(script::MISMATCH) => Ok(Outcome::Mismatch),
            _ => Err(unexpected("a script of larder's answered something else")),
        },
        _ => |reply| match reply {
            Reply::Integer(0) => Ok(Outcome::Missing),
            Reply::Integer(_) => Ok(Outcome::Done),
            _ => Err(unexpected("the number of keys is no number")),
        },
    }
}

fn written(reply: &Reply) -> Result<Outcome> {
    match reply {
        Reply::Okay => Ok(Outcome::Done),
        Reply::Bytes(word) if word == "OK" => Ok(Outcome::Done),
        _ => Err(unexpected("SET is answered by something else than OK")),
    }
}

/// Sends commands in windows, each window's in order and waited for together.
async fn batch<W: Wire>(wire: &W, mut commands: Vec<Result<Timed>>) -> Vec<Result<Outcome>> {
    let mut permit = match wire.shared().admit(commands.len()) {
        Ok(permit) => permit,
        Err(error) => return commands.iter().map(|_| Err(error.clone())).collect(),
    };
    let mut answers = Vec::with_capacity(commands.len());
    while !commands.is_empty() {
        let rest = commands.split_off(commands.len().min(WINDOW));
        let mut sent = Vec::with_capacity(commands.len());
        let mut judges = Vec::with_capacity(commands.len());
        let mut have_own = Vec::with_capacity(commands.len());
        for command in std::mem::replace(&mut commands, rest) {
            have_own.push(command.as_ref().is_ok_and(|timed| timed.end.is_some()));
            judges.push(command.map(|timed| {
                let judge = judge(&timed.command);
                sent.push(timed);
                judge
            }));
        }
        let places = permit.parts(judges.len());
        let replies = if wire.is_clustered() {
            send_each(wire, sent, places).await
        } else {
            send_together(wire, sent, places).await
        };
        let mut replies = replies.into_iter();
        let window: Vec<_> = judges
            .into_iter()
            .map(|judge| {
                let judge = judge?;
                judge(
                    replies
                        .next()
                        .unwrap_or_else(|| Err(unexpected("an answer is left out")))?,
                )
            })
            .collect();
        let away = server_is_away(&window, &have_own);
        answers.extend(window);
        if let Some(error) = away {
            // Each further window would only wait for its own deadline.
            answers.extend(commands.drain(..).map(|_| Err(error.clone())));
        }
    }
    answers
}

/// Commands that go out as one, with the least time that one of them has left, and the most.
struct Group {
    commands: Vec<Command>,
    least: Duration,
    most: Duration,
}

impl Group {
    /// Tells whether a command would neither take half of its time from the others, nor they from it.
    fn suits(&self, limit: Duration) -> bool {
        self.most.max(limit) <= self.least.min(limit) * 2
    }
}

/// Sends commands in their order, as one as far as they have about the same time left.
async fn send_together<W: Wire>(wire: &W, commands: Vec<Timed>, mut permit: Permit) -> Vec<Result<Reply>> {
    let (deadline, count) = (wire.shared().deadline, commands.len());
    let mut groups: Vec<Group> = Vec::new();
    let mut late = Vec::new();
    for (place, timed) in commands.into_iter().enumerate() {
        let limit = match timed.limit(deadline) {
            Ok(limit) => limit,
            Err(error) => {
                late.push((place, error));
                continue;
            }
        };
        if let Some(group) = groups.last_mut().filter(|group| group.suits(limit)) {
            group.commands.push(timed.command);
            (group.least, group.most) = (group.least.min(limit), group.most.max(limit));
        } else {
            // Most often there is one group alone.
            let mut commands = Vec::with_capacity(if groups.is_empty() { count - place } else { 0 });
            commands.push(timed.command);
            groups.push(Group {
                commands,
                least: limit,
                most: limit,
            });
        }
    }
    let sent = groups.into_iter().map(|group| {
        let places = permit.parts(group.commands.len());
        wire.send_all(group.commands, group.least, places)
    });
    let mut replies = match <[_; 1]>::try_from(sent.collect::<Vec<_>>()) {
        Ok([all]) => all.await,
        Err(several) => join_all(several).await.concat(),
    };
    for (place, error) in late {
        replies.insert(place.min(replies.len()), Err(error));
    }
    replies
}

/// Sends commands each to the node of its key. Those of one key go one after the other: on its way to a node that is being
/// connected to, or that sends it on, one could overtake another.
async fn send_each<W: Wire>(wire: &W, commands: Vec<Timed>, mut permit: Permit) -> Vec<Result<Reply>> {
    let mut order: Vec<(usize, Timed)> = commands.into_iter().enumerate().collect();
    let mut replies: Vec<Option<Result<Reply>>> = order.iter().map(|_| None).collect();
    // Stable, so that those of one key stay in their order.
    order.sort_by(|(_, one), (_, other)| one.command.key().cmp(other.command.key()));
    let sent = order
        .chunk_by(|(_, one), (_, other)| one.command.key() == other.command.key())
        .map(|of_one_key| {
            let mut places = permit.parts(of_one_key.len());
            async move {
                let mut answers = Vec::with_capacity(of_one_key.len());
                let mut away = None;
                for (place, timed) in of_one_key {
                    let answer = match (&away, timed.limit(wire.shared().deadline)) {
                        // Each further one would only wait for its own deadline.
                        (Some(error), _) => Err(Error::clone(error)),
                        (None, Err(error)) => Err(error),
                        (None, Ok(limit)) => {
                            let answer = wire.send_within(timed.command.clone(), limit, places.part()).await;
                            let failure = answer.as_ref().err();
                            away = failure.filter(|error| says_away(error, timed.end.is_some())).cloned();
                            answer
                        }
                    };
                    answers.push((*place, answer));
                }
                answers
            }
        });
    for (place, answer) in join_all(sent).await.into_iter().flatten() {
        replies[place] = Some(answer);
    }
    replies
        .into_iter()
        .map(|reply| reply.unwrap_or_else(|| Err(unexpected("an answer is left out"))))
        .collect()
}

/// The last error of a window in which nothing was answered, of commands of which some have a deadline of their own.
fn server_is_away(window: &[Result<Outcome>], have_own: &[bool]) -> Option<Error> {
    let mut parts = window.iter().zip(have_own);
    if parts.all(|(answer, &has_own)| answer.as_ref().is_err_and(|error| says_away(error, has_own))) {
        window.last().and_then(|answer| answer.as_ref().err().cloned())
    } else {
        None
    }
}

/// Tells whether the failure of a command lets no further one be tried. One that had less time than others says nothing by
/// having run out of it.
fn says_away(error: &Error, has_own: bool) -> bool {
    error.is_unavailable() && !(has_own && error.kind() == ErrorKind::Timeout)
}

/// Tells whether a key is written twice and a script may be among the writes.
fn has_twins(items: &[SetItem]) -> bool {
    let plain = |options: &SetOptions| {
        options.expiry != Expiry::Keep && matches!(options.condition, Condition::Always | Condition::IfAbsent)
    };
    if items.iter().all(|item| plain(&item.options)) {
        return false;
    }
    let mut seen = HashSet::with_capacity(items.len());
    !items.iter().all(|item| seen.insert(item.key.as_str()))
}

/// What the scripts take for the condition: the prefix, or nothing for any value.
fn prefix(condition: Condition) -> Result<Bytes> {
    match condition {
        Condition::IfStartsWith(prefix) => Ok(prefix),
        // `Always` comes here with `Expiry::Keep`, which implies that the key exists.
        Condition::IfPresent | Condition::Always => Ok(Bytes::new()),
        _ => Err(unknown("condition")),
    }
}

fn millis(span: Duration) -> Result<i64> {
    // The bound of `whole_millis` is far below that of i64.
    Expiry::whole_millis(span).map(|millis| i64::try_from(millis).unwrap_or(i64::MAX))
}

/// The error of a write that is not to be sent any more.
#[cold]
fn overdue() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "the deadline of the write had passed before it could be sent",
    )
}

/// Options grow; what this version does not know it must not take for something else.
fn unknown(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("this version of the backend does not know the {what}"),
    )
}
