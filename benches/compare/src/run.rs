//! One run, from the arguments to the reports.

use std::{process::ExitCode, sync::Arc};

use foyer::CacheBuilder;
use moka::sync::Cache as MokaCache;
use quick_cache::sync::Cache as QuickCache;
use testkit::RedisServer;
use tokio::runtime::Builder;

use crate::{
    arguments::{Arguments, USAGE},
    contender::Remote,
    contenders::{
        HOUR, Remotes,
        cached::Cached,
        hitbox::{Hitbox, HitboxMoka},
        locals,
    },
    measure::{Effort, Lane, Row, race},
    payload::{Document, Payload, Profile},
    report,
    workloads::{
        flights, growth, limit, local,
        many::{self, Batch},
        outage, remember,
        single::{self, Single},
        zipf,
    },
};

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the machine has threads");
    if let [child, call, url, size] = &words[..]
        && child == "--child"
    {
        let size = size.parse().expect("the parent passes a number");
        runtime.block_on(growth::child(call, url, size));
        return ExitCode::SUCCESS;
    }
    let done = Arguments::parse(words)
        .map_err(|error| format!("{error}\n{USAGE}"))
        .and_then(|arguments| {
            let rows = match &arguments.from {
                Some(path) => report::json::read(path)?,
                None => runtime.block_on(measure(&arguments)),
            };
            report::all(&arguments, &rows)
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(arguments: &Arguments) -> Vec<Row> {
    let server = RedisServer::start();
    let effort = arguments.effort();
    let mut rows = Vec::new();
    if REMOTE.iter().any(|workload| arguments.wants(workload)) {
        let remotes = Remotes::connect(&server.url()).await;
        for workload in REMOTE.into_iter().filter(|workload| arguments.wants(workload)) {
            for tasks in tasks_of(workload) {
                let lanes = remote_lanes(workload, *tasks, &server, &remotes).await;
                rows.extend(say(race(workload, *tasks, &lanes, effort).await));
            }
        }
    }
    rows.extend(in_process(arguments, effort).await);
    if arguments.wants("outage") {
        rows.extend(say(outage::race(effort.rounds).await));
    }
    if arguments.wants("growth/get_many") {
        rows.extend(say(growth::batches(&server, effort).await));
    }
    if arguments.wants("growth/flights") {
        rows.extend(say(flights::race(effort.rounds)));
    }
    if arguments.wants("growth/patterns") {
        rows.extend(say(growth::patterns(&server, effort.rounds).await));
    }
    rows
}

const REMOTE: [&str; 7] = [
    "get/100B",
    "get/10KiB",
    "set/100B",
    "get_many/100",
    "set_many/100",
    "remember/hit",
    "remember/stampede",
];

fn tasks_of(workload: &str) -> &'static [usize] {
    match workload {
        "get_many/100" | "set_many/100" => &[1, 16],
        "remember/hit" => &[1, 16, 128],
        "remember/stampede" => &[1_000],
        _ => &[1, 16, 128, 1_024],
    }
}

async fn remote_lanes(workload: &str, tasks: usize, server: &RedisServer, remotes: &Remotes) -> Vec<Lane> {
    let mut lanes = match workload {
        "get/100B" => singles::<Profile>(Single::Get, tasks, server, remotes).await,
        "get/10KiB" => singles::<Document>(Single::Get, tasks, server, remotes).await,
        "set/100B" => singles::<Profile>(Single::Set, tasks, server, remotes).await,
        "get_many/100" => batches(Batch::Get, tasks, remotes).await,
        "set_many/100" => batches(Batch::Set, tasks, remotes).await,
        "remember/hit" => vec![
            remember::lane::<Profile, _>("larder", &remotes.larder, tasks).await,
            remember::lane::<Profile, _>("cached", &remotes.cached, tasks).await,
            remember::lane::<Profile, _>("hitbox", &remotes.hitbox, tasks).await,
            remember::lane::<Profile, _>("multi-tier-cache", &remotes.multi_tier, tasks).await,
        ],
        _ => vec![
            remember::cold::<Profile, _>("larder", &remotes.larder, tasks),
            remember::cold::<Profile, _>("cached", &remotes.cached, tasks),
            remember::cold::<Profile, _>("hitbox", &remotes.hitbox, tasks),
            remember::cold::<Profile, _>("multi-tier-cache", &remotes.multi_tier, tasks),
        ],
    };
    lanes.extend(remotes.oxcache.as_ref().map(|oxcache| oxcache.lane(workload, tasks)));
    lanes
}

async fn singles<P: Payload>(which: Single, tasks: usize, server: &RedisServer, remotes: &Remotes) -> Vec<Lane>
where
    Cached: Remote<P>,
    Hitbox: Remote<P>,
{
    let mut lanes = vec![
        single::lane::<P, _>("larder", &remotes.larder, which, tasks).await,
        single::lane::<P, _>("larder, shared runtime", &remotes.larder_shared, which, tasks).await,
    ];
    match which {
        // A read of theirs is not decoded.
        Single::Get => lanes.extend([
            single::lane::<P, _>("fred, bytes", &remotes.fred_bytes, which, tasks).await,
            single::lane::<P, _>("redis-rs, bytes", &remotes.redis_bytes, which, tasks).await,
        ]),
        Single::Set => lanes.extend([
            single::lane::<P, _>("fred + postcard", &remotes.fred, which, tasks).await,
            single::lane::<P, _>("redis-rs + postcard", &remotes.redis, which, tasks).await,
        ]),
    }
    lanes.push(single::lane::<P, _>("cached", &remotes.cached, which, tasks).await);
    lanes.push(single::lane::<P, _>("hitbox", &remotes.hitbox, which, tasks).await);
    lanes.push(single::lane::<P, _>("multi-tier-cache", &remotes.multi_tier, which, tasks).await);
    lanes.push(limit::lane::<P>(server, &*remotes.fred, which == Single::Set, tasks).await);
    lanes
}

async fn batches(which: Batch, tasks: usize, remotes: &Remotes) -> Vec<Lane> {
    vec![
        many::lane::<Profile, _>("larder", &remotes.larder, which, tasks).await,
        many::lane::<Profile, _>("larder, shared runtime", &remotes.larder_shared, which, tasks).await,
        many::lane::<Profile, _>("fred + postcard", &remotes.fred, which, tasks).await,
        many::lane::<Profile, _>("redis-rs + postcard", &remotes.redis, which, tasks).await,
    ]
}

async fn in_process(arguments: &Arguments, effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    if arguments.wants("local/hit") {
        for threads in [1, 2] {
            let lanes = local_lanes(threads).await;
            rows.extend(say(race("local/hit", threads, &lanes, effort).await));
        }
    }
    if arguments.wants("local/zipf") {
        let trace = Arc::new(zipf::Trace::new());
        for threads in [1, 2] {
            let lanes = zipf_lanes(threads, &trace).await;
            rows.extend(say(race("local/zipf", threads, &lanes, effort).await));
        }
    }
    rows
}

async fn local_lanes(threads: usize) -> Vec<Lane> {
    const ROOM: usize = local::CAPACITY;
    vec![
        local::lane("larder", locals::Larder::new(ROOM), threads).await,
        local::lane(
            "quick_cache + postcard",
            locals::QuickBytes(QuickCache::new(ROOM)),
            threads,
        )
        .await,
        local::lane("quick_cache, Arc", locals::QuickShared(QuickCache::new(ROOM)), threads).await,
        local::lane(
            "moka + postcard",
            locals::MokaBytes(MokaCache::new(ROOM as u64)),
            threads,
        )
        .await,
        local::lane("moka, Arc", locals::MokaShared::new(ROOM, None), threads).await,
        local::lane("moka, Arc, ttl", locals::MokaShared::new(ROOM, Some(HOUR)), threads).await,
        local::lane("foyer", locals::Foyer(CacheBuilder::new(ROOM).build()), threads).await,
        local::lane("cachet", locals::Cachet::new(ROOM), threads).await,
        local::lane("cached, Arc", locals::Cached::new(ROOM), threads).await,
        local::lane("hitbox-moka", HitboxMoka::new(ROOM), threads).await,
    ]
}

async fn zipf_lanes(threads: usize, trace: &Arc<zipf::Trace>) -> Vec<Lane> {
    const ROOM: usize = zipf::CAPACITY;
    vec![
        zipf::lane("larder", locals::Larder::new(ROOM), threads, trace).await,
        zipf::lane(
            "quick_cache + postcard",
            locals::QuickBytes(QuickCache::new(ROOM)),
            threads,
            trace,
        )
        .await,
        zipf::lane(
            "quick_cache, Arc",
            locals::QuickShared(QuickCache::new(ROOM)),
            threads,
            trace,
        )
        .await,
        zipf::lane(
            "moka + postcard",
            locals::MokaBytes(MokaCache::new(ROOM as u64)),
            threads,
            trace,
        )
        .await,
        zipf::lane(
            "moka, Arc, ttl",
            locals::MokaShared::new(ROOM, Some(HOUR)),
            threads,
            trace,
        )
        .await,
        zipf::lane("foyer", locals::Foyer(CacheBuilder::new(ROOM).build()), threads, trace).await,
        zipf::lane("cachet", locals::Cachet::new(ROOM), threads, trace).await,
        zipf::lane("cached, Arc", locals::Cached::new(ROOM), threads, trace).await,
        zipf::lane("hitbox-moka", HitboxMoka::new(ROOM), threads, trace).await,
    ]
}

/// Prints rows as they come, since a run takes minutes.
fn say(rows: Vec<Row>) -> Vec<Row> {
    for row in &rows {
        println!("{}", report::line(row));
    }
    rows
}
