//! What must never be made true: damaged entries, lives that were taken back, loads that were voided.

use std::{cell::Cell, time::Duration};

use larder::{Cache, CacheBackend, ErrorKind, Expiry, KeyTtl, LoadError, LoadOptions, Loaded, SetOptions};
use larder_memory::{MemoryBackend, Operation};

use super::support::{Database, Gate, Tasks, remember};
use crate::backends::{World, block_on, memory};

fn cache(world: &World<MemoryBackend>, options: LoadOptions) -> Cache<MemoryBackend> {
    world.builder().prefix("test").load_options(options).build().unwrap()
}

fn timed() -> LoadOptions {
    LoadOptions::new().refresh_ahead(0.5).stale_if_error("10m")
}

fn store(world: &World<MemoryBackend>, key: &str, bytes: Vec<u8>) {
    let options = SetOptions::new(Expiry::After(Duration::from_secs(1000)));
    block_on(world.backend.set(key, bytes.into(), options)).unwrap();
}

#[test]
fn no_change_of_a_life_makes_a_damaged_or_a_renamed_entry_good() {
    let world = memory();
    let cache = world
        .builder()
        .prefix("test")
        .default_ttl("1h")
        .load_options(timed())
        .build()
        .unwrap();
    block_on(cache.remember("alice", "1h", async || Ok::<_, &str>("a secret of alice".to_owned()))).unwrap();
    let entry = world.backend.raw("test:alice").unwrap().to_vec();
    let mut damaged = entry.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for (key, bytes) in [("alice", damaged), ("bob", entry)] {
        store(&world, &format!("test:{key}"), bytes.clone());
        assert!(!block_on(cache.expire(key, 60)).unwrap());
        assert!(!block_on(cache.persist(key)).unwrap());
        assert!(!block_on(cache.touch(key)).unwrap());
        assert_eq!(block_on(cache.get::<String>(key)).unwrap(), None);
        assert_eq!(world.backend.raw(&format!("test:{key}")).unwrap(), bytes);
    }
    assert_eq!(cache.stats().undecodable, 8);
}

/// What `change` does while a refresh of the value runs that then fails.
fn during_a_failing_refresh(change: impl AsyncFnOnce(&Cache<MemoryBackend>)) -> World<MemoryBackend> {
    let world = memory();
    let cache = cache(&world, timed());
    block_on(cache.remember("key", "1h", async || Ok::<_, &str>(1_u8))).unwrap();
    world.pass(Duration::from_secs(1801));
    let gate = Gate::default();
    let mut tasks = Tasks::new();
    let refresh = tasks.add(cache.remember("key", "1h", async || {
        gate.wait().await;
        Err::<u8, _>("away")
    }));
    assert!(tasks.poll(refresh).is_none());
    block_on(change(&cache));
    let changed = world.backend.raw("test:key");
    gate.open();
    assert_eq!(tasks.poll(refresh).unwrap().unwrap(), 1);
    assert_eq!(
        world.backend.raw("test:key"),
        changed,
        "the pause was written over the change"
    );
    drop(tasks);
    world
}

#[test]
fn the_pause_after_a_failed_refresh_undoes_nothing_that_came_in_between() {
    during_a_failing_refresh(async |cache| assert!(cache.persist("key").await.unwrap()));
    during_a_failing_refresh(async |cache| assert!(cache.expire("key", "1s").await.unwrap()));
    during_a_failing_refresh(async |cache| cache.set("key", &2_u8, "1h").await.unwrap());
    during_a_failing_refresh(async |cache| assert!(cache.delete("key").await.unwrap()));
}

#[test]
fn a_change_of_a_life_does_not_bring_back_a_value_that_was_deleted() {
    let world = memory();
    let cache = cache(&world, timed());
    block_on(cache.remember("key", "1h", async || Ok::<_, &str>(1_u8))).unwrap();
    let mut tasks = Tasks::new();
    let change = tasks.add(cache.expire("key", "2h"));
    let hold = world.backend.faults().hold_of(Operation::Get);
    assert!(tasks.poll(change).is_none());
    let write = world.backend.faults().hold_of(Operation::Set);
    hold.release();
    assert!(tasks.poll(change).is_none());
    assert!(block_on(cache.delete("key")).unwrap());
    write.release();
    assert!(!(0..5).find_map(|_| tasks.poll(change)).unwrap().unwrap());
    assert!(world.backend.raw("test:key").is_none());
}

#[test]
fn a_refresh_that_fails_after_its_value_has_run_out_is_not_told_as_a_hit() {
    for (options, served) in [
        (LoadOptions::new().refresh_ahead(0.5), None),
        (LoadOptions::new().refresh_ahead(0.5).stale_if_error("1m"), None),
        (LoadOptions::new().refresh_ahead(0.5).stale_if_error("2h"), Some(true)),
    ] {
        let world = memory();
        let cache = cache(&world, options);
        block_on(cache.remember("key", "1m", async || Ok::<_, &str>(1_u8))).unwrap();
        world.pass(Duration::from_secs(31));
        let (gate, options) = (Gate::default(), LoadOptions::new());
        let mut tasks = Tasks::new();
        let refresh = tasks.add(cache.remember_with("key", "1m", &options, async || {
            gate.wait().await;
            Err::<Loaded<u8>, _>("away")
        }));
        assert!(tasks.poll(refresh).is_none());
        world.pass(Duration::from_secs(3600));
        gate.open();
        let answer = tasks.poll(refresh).unwrap();
        assert_eq!(answer.ok().map(|answer| answer.is_stale()), served);
    }
}

/// A load without a fence begins, `meanwhile` happens, the key is deleted, and the load ends.
fn unfenced(wait: &str, meanwhile: impl FnOnce(&World<MemoryBackend>, &Cache<MemoryBackend>, &Database)) {
    let world = memory();
    let cache = cache(&world, LoadOptions::new().wait(wait.to_owned()));
    let (database, stuck) = (Database::default(), Gate::default());
    let options = LoadOptions::new().unfenced();
    let mut tasks = Tasks::new();
    let load = tasks.add(cache.remember_with("key", 60, &options, async || {
        database.read(stuck.clone()).await.map(Loaded::value)
    }));
    assert!(tasks.poll(load).is_none());
    meanwhile(&world, &cache, &database);
    database.write();
    block_on(cache.delete("key")).unwrap();
    stuck.open();
    assert_eq!(tasks.poll(load).unwrap().unwrap().value, Some(0));
    assert_eq!(
        block_on(cache.get::<usize>("key")).unwrap(),
        None,
        "an old value is back"
    );
}

#[test]
fn a_load_without_a_fence_that_another_has_displaced_is_not_stored_after_a_delete() {
    unfenced("30s", |_, _, _| {});
    unfenced("30s", |_, cache, database| {
        block_on(remember(cache, "key", database, &Gate::opened())).unwrap();
    });
    unfenced("30s", |_, cache, database| {
        let options = LoadOptions::new().unfenced().force_refresh();
        let load = async || database.read(Gate::opened()).await.map(Loaded::value);
        block_on(cache.remember_with("key", 60, &options, load)).unwrap();
    });
    unfenced("5s", |world, cache, database| {
        let options = LoadOptions::new().unfenced();
        let mut tasks = Tasks::new();
        let follower = tasks.add(cache.remember_with("key", 60, &options, async || {
            database.read(Gate::opened()).await.map(Loaded::value)
        }));
        assert!(tasks.poll(follower).is_none());
        world.pass(Duration::from_secs(5));
        assert!(tasks.poll(follower).unwrap().is_ok());
    });
}

#[test]
fn a_fill_without_a_fence_that_may_have_been_applied_is_removed_again() {
    let world = memory();
    let cache = cache(&world, LoadOptions::new().unfenced());
    let (database, open) = (Database::default(), Gate::opened());
    let mut tasks = Tasks::new();
    let load = tasks.add(remember(&cache, "key", &database, &open));
    world
        .backend
        .faults()
        .fail_next_applied_of(Operation::Set, 1, ErrorKind::Timeout);
    let hold = world.backend.faults().hold_of(Operation::Set);
    assert!(tasks.poll(load).is_none());
    database.write();
    block_on(cache.delete("key")).unwrap();
    hold.release();
    tasks.poll(load).unwrap().unwrap();
    let began = std::time::Instant::now();
    while world.backend.raw("test:key").is_some() {
        assert!(began.elapsed().as_secs() < 10, "the old value stays");
        std::thread::yield_now();
    }
}

#[test]
fn a_waiter_that_loads_for_itself_falls_back_to_the_stale_value_too() {
    let world = memory();
    let cache = cache(&world, timed());
    block_on(cache.remember("key", "1m", async || Ok::<_, &str>(1_u8))).unwrap();
    world.pass(Duration::from_secs(60));
    let gate = Gate::default();
    let mut tasks: Tasks<'_, u8> = Tasks::new();
    tasks.add(async {
        let load = async || {
            gate.wait().await;
            Err::<u8, _>("one")
        };
        cache.remember("key", "1m", load).await.unwrap()
    });
    tasks.add(async {
        let answer: Result<u8, LoadError<String>> = cache.remember("key", "1m", async || Err("two".to_owned())).await;
        answer.unwrap()
    });
    assert!(tasks.poll_all().is_empty());
    gate.open();
    assert_eq!(tasks.poll_all(), [1, 1]);
}

#[test]
fn an_id_that_its_loader_no_longer_knows_is_not_served_stale_later() {
    let world = memory();
    let cache = cache(&world, timed());
    let answer = Cell::new(Ok(Some(1_u8)));
    let call = || {
        let load = async |ids: Vec<u32>| {
            let row = answer.get()?;
            Ok::<_, &str>(ids.into_iter().filter_map(move |id| Some((id, row?))))
        };
        block_on(cache.remember_many([1_u32], u32::to_string, "1m", load))
    };
    assert_eq!(call().unwrap()[&1], 1);
    world.pass(Duration::from_secs(60));
    answer.set(Ok(None));
    assert!(call().unwrap().is_empty());
    answer.set(Err("away"));
    assert!(call().is_err());
}

#[test]
fn touching_an_entry_begins_its_life_anew_for_refreshes_too() {
    let world = memory();
    let cache = cache(&world, timed());
    let database = Database::default();
    block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(1700));
    assert!(block_on(cache.expire("key", "1h")).unwrap());
    world.pass(Duration::from_secs(1700));
    block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap();
    assert_eq!(database.loads(), 1);
    assert_eq!(
        block_on(cache.ttl("key")).unwrap(),
        KeyTtl::Expires(Duration::from_secs(1900))
    );
}
