//! A contender in a process of its own: it reads what to measure, a line each, and writes the figures as JSON.

use std::{
    collections::HashMap,
    future::Future,
    io::{BufRead, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    contender::{Load, Many, Remember},
    measure::Figure,
    payload::{Document, Payload, Profile},
    race::Turn,
    workloads::{
        many::{self, Batch},
        remember,
        single::{self, Single},
    },
};

/// Everything there is to measure of a remote contender.
pub trait Whole: Many<Profile> + Many<Document> + Remember<Profile> {}

impl<R: Many<Profile> + Many<Document> + Remember<Profile>> Whole for R {}

/// Answers the lines of standard input until it ends: `open URL`, `turn WORK TASKS SECONDS`, `call`.
///
/// # Panics
///
/// On a line that is none of these; the other side is our own.
pub fn serve<R: Whole, F: Future<Output = R>>(contender: &str, connect: impl Fn(String) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the machine has threads");
    let mut remote = None;
    let mut turns: HashMap<String, Turn> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let words: Vec<&str> = line.split_whitespace().collect();
        let figures = runtime.block_on(async {
            match words[..] {
                ["open", url] => {
                    turns.clear();
                    remote = Some(Arc::new(connect(url.into()).await));
                    Vec::new()
                }
                ["turn", work, tasks, seconds] => {
                    let remote = remote.as_ref().expect("it was opened");
                    let name = format!("{work} {tasks}");
                    if !turns.contains_key(&name) {
                        let tasks = tasks.parse().expect("a number of tasks");
                        turns.insert(name.clone(), prepare(contender, remote, work, tasks).await);
                    }
                    turns[&name](Duration::from_secs_f64(seconds.parse().expect("seconds"))).await
                }
                ["call"] => call(&**remote.as_ref().expect("it was opened")).await,
                _ => panic!("no such request: {line}"),
            }
        });
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &figures).expect("standard output is open");
        writeln!(out)
            .and_then(|()| out.flush())
            .expect("standard output is open");
    }
}

async fn prepare<R: Whole>(contender: &str, remote: &Arc<R>, work: &str, tasks: usize) -> Turn {
    let (contender, remote) = (contender.to_owned(), Arc::clone(remote));
    match work {
        "get/100B" => Box::new(single::turn::<Profile, R>(contender, remote, Single::Get, tasks).await),
        "get/10KiB" => Box::new(single::turn::<Document, R>(contender, remote, Single::Get, tasks).await),
        "set/100B" => Box::new(single::turn::<Profile, R>(contender, remote, Single::Set, tasks).await),
        "get_many/100" => Box::new(many::turn::<Profile, R>(contender, remote, Batch::Get, tasks).await),
        "set_many/100" => Box::new(many::turn::<Profile, R>(contender, remote, Batch::Set, tasks).await),
        "remember/hit" => Box::new(remember::hits::<Profile, R>(contender, remote, tasks).await),
        "remember/stampede" => Box::new(remember::stampede::<Profile, R>(&contender, remote, tasks)),
        _ => panic!("no such workload: {work}"),
    }
}

/// One `remember` whose load takes no time: how long it took, in milliseconds, and whether it had a value.
pub async fn call<R: Remember<Profile>>(remote: &R) -> Vec<Figure> {
    let load = Load::new(Profile::numbered(1), Duration::ZERO);
    let began = Instant::now();
    let failed = remote.remember("outage", load).await.is_err();
    vec![
        Figure::new(began.elapsed().as_secs_f64() * 1e3, "ms"),
        Figure::new(f64::from(failed), "errors"),
    ]
}
