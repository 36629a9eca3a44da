//! Who takes part in which workload.

use std::sync::Arc;

use foyer::CacheBuilder;
use moka::sync::Cache as MokaCache;
use quick_cache::sync::Cache as QuickCache;
use testkit::RedisServer;

use crate::{
    contender::Remote,
    contenders::{
        HOUR, Remotes,
        cached::Cached,
        external,
        hitbox::{Hitbox, HitboxMoka},
        locals,
    },
    payload::{Document, Payload, Profile},
    race::Lane,
    workloads::{
        limit, local,
        many::{self, Batch},
        remember,
        single::{self, Single},
        zipf,
    },
};

/// Everybody who talks to a server.
pub(crate) fn remote(workload: &str, tasks: usize, server: &RedisServer, remotes: &Remotes) -> Vec<Lane> {
    let mut lanes = match workload {
        "get/100B" => singles::<Profile>(Single::Get, tasks, server, remotes),
        "get/10KiB" => singles::<Document>(Single::Get, tasks, server, remotes),
        "set/100B" => singles::<Profile>(Single::Set, tasks, server, remotes),
        "get_many/100" => batches(Batch::Get, tasks, remotes),
        "set_many/100" => batches(Batch::Set, tasks, remotes),
        "remember/hit" => vec![
            remember::lane::<Profile, _>("larder", &remotes.larder, tasks),
            remember::lane::<Profile, _>("larder, shared runtime", &remotes.larder_shared, tasks),
            remember::lane::<Profile, _>("larder-redis-rs", &remotes.larder_redis_rs, tasks),
            remember::lane::<Profile, _>("cached", &remotes.cached, tasks),
            remember::lane::<Profile, _>("hitbox", &remotes.hitbox, tasks),
            remember::lane::<Profile, _>("multi-tier-cache", &remotes.multi_tier, tasks),
        ],
        "remember/stampede" => vec![
            remember::cold::<Profile, _>("larder", &remotes.larder, tasks),
            remember::cold::<Profile, _>("larder, shared runtime", &remotes.larder_shared, tasks),
            remember::cold::<Profile, _>("larder-redis-rs", &remotes.larder_redis_rs, tasks),
            remember::cold::<Profile, _>("cached", &remotes.cached, tasks),
            remember::cold::<Profile, _>("hitbox", &remotes.hitbox, tasks),
            remember::cold::<Profile, _>("multi-tier-cache", &remotes.multi_tier, tasks),
        ],
        _ => unreachable!("{workload} is none of a server"),
    };
    lanes.push(external::lane(
        "oxcache",
        &remotes.oxcache,
        &server.url(),
        workload,
        tasks,
    ));
    lanes
}

fn singles<P: Payload>(which: Single, tasks: usize, server: &RedisServer, remotes: &Remotes) -> Vec<Lane>
where
    Cached: Remote<P>,
    Hitbox: Remote<P>,
{
    let mut lanes = vec![
        single::lane::<P, _>("larder", &remotes.larder, which, tasks),
        single::lane::<P, _>("larder, shared runtime", &remotes.larder_shared, which, tasks),
        single::lane::<P, _>("larder-redis-rs", &remotes.larder_redis_rs, which, tasks),
    ];
    match which {
        // A read of theirs is not decoded.
        Single::Get => lanes.extend([
            single::lane::<P, _>("fred, bytes", &remotes.fred_bytes, which, tasks),
            single::lane::<P, _>("fred, Nagle, bytes", &remotes.fred_nagle_bytes, which, tasks),
            single::lane::<P, _>("redis-rs, bytes", &remotes.redis_bytes, which, tasks),
        ]),
        Single::Set => lanes.extend([
            single::lane::<P, _>("fred + postcard", &remotes.fred, which, tasks),
            single::lane::<P, _>("fred, Nagle + postcard", &remotes.fred_nagle, which, tasks),
            single::lane::<P, _>("redis-rs + postcard", &remotes.redis, which, tasks),
        ]),
    }
    lanes.push(single::lane::<P, _>("cached", &remotes.cached, which, tasks));
    lanes.push(single::lane::<P, _>("hitbox", &remotes.hitbox, which, tasks));
    lanes.push(single::lane::<P, _>(
        "multi-tier-cache",
        &remotes.multi_tier,
        which,
        tasks,
    ));
    lanes.push(limit::lane::<P, _>(server, &remotes.fred, which == Single::Set, tasks));
    lanes
}

fn batches(which: Batch, tasks: usize, remotes: &Remotes) -> Vec<Lane> {
    vec![
        many::lane::<Profile, _>("larder", &remotes.larder, which, tasks),
        many::lane::<Profile, _>("larder, shared runtime", &remotes.larder_shared, which, tasks),
        many::lane::<Profile, _>("larder-redis-rs", &remotes.larder_redis_rs, which, tasks),
        many::lane::<Profile, _>("fred + postcard", &remotes.fred, which, tasks),
        many::lane::<Profile, _>("fred, Nagle + postcard", &remotes.fred_nagle, which, tasks),
        many::lane::<Profile, _>("redis-rs + postcard", &remotes.redis, which, tasks),
    ]
}

/// Every map in the process; `$lane` is called with a name and a map, and then with the rest.
macro_rules! maps {
    ($room:expr, $lane:path $(, $rest:expr)*) => {{
        const ROOM: usize = $room;
        vec![
            $lane("larder", locals::Larder::new(ROOM) $(, $rest)*),
            $lane("larder, get_shared", locals::LarderShared::new(ROOM) $(, $rest)*),
            $lane("quick_cache + postcard", locals::QuickBytes(QuickCache::new(ROOM)) $(, $rest)*),
            $lane("quick_cache, Arc", locals::QuickShared(QuickCache::new(ROOM)) $(, $rest)*),
            $lane("moka + postcard", locals::MokaBytes(MokaCache::new(ROOM as u64)) $(, $rest)*),
            $lane("moka, Arc", locals::MokaShared::new(ROOM, None) $(, $rest)*),
            $lane("moka, Arc, ttl", locals::MokaShared::new(ROOM, Some(HOUR)) $(, $rest)*),
            $lane("foyer", locals::Foyer(CacheBuilder::new(ROOM).build()) $(, $rest)*),
            $lane("cachet", locals::Cachet::new(ROOM) $(, $rest)*),
            $lane("cached, Arc", locals::Cached::new(ROOM) $(, $rest)*),
            $lane("hitbox-moka", HitboxMoka::new(ROOM) $(, $rest)*),
        ]
    }};
}

pub(crate) fn hits(threads: usize) -> Vec<Lane> {
    maps!(local::CAPACITY, local::lane, threads)
}

pub(crate) fn mixes(threads: usize, trace: &Arc<zipf::Trace>) -> Vec<Lane> {
    maps!(zipf::CAPACITY, zipf::lane, threads, trace)
}
