//! Batches that take loads over, and calls that come just after one has failed.

use std::{cell::Cell, collections::HashMap, time::Duration};

use larder::{Cache, CacheBackend, LoadError, LoadOptions, Loaded};
use larder_memory::{MemoryBackend, Operation};

use super::support::{Database, Gate, Tasks, remember};
use crate::backends::{block_on, memory};

type Answer = Result<usize, LoadError<&'static str>>;

/// How many of two ids a batch answers; its loads take no time.
async fn both(cache: &Cache<MemoryBackend>, ids: [u32; 2], key_of: impl Fn(&u32) -> String) -> usize {
    let load = async |ids: Vec<u32>| Ok::<_, &str>(ids.into_iter().map(|id| (id, 7_usize)));
    let answers: HashMap<u32, usize> = cache.remember_many(ids, key_of, 60, load).await.unwrap();
    answers.len()
}

/// A cache on which the loads of keys 1 and 2 have begun and do not end.
struct Busy {
    cache: Cache<MemoryBackend>,
    database: Database,
    stuck: Gate,
}

impl Busy {
    fn new() -> Self {
        Self {
            cache: memory().cache(),
            database: Database::default(),
            stuck: Gate::default(),
        }
    }

    async fn load(&self, key: &str) -> usize {
        remember(&self.cache, key, &self.database, &self.stuck).await.unwrap()
    }
}

#[test]
fn a_batch_with_two_ids_of_one_key_takes_over_and_does_not_wait_for_itself() {
    let busy = Busy::new();
    let mut tasks: Tasks<'_, usize> = Tasks::new();
    let leader = tasks.add(busy.load("key"));
    assert!(tasks.poll(leader).is_none());
    let batch = tasks.add(both(&busy.cache, [1, 2], |_| "key".into()));
    assert!(tasks.poll(batch).is_none());
    tasks.drop_task(leader);
    assert_eq!((0..10).find_map(|_| tasks.poll(batch)), Some(2));
}

#[test]
fn a_load_that_a_batch_takes_over_runs_before_the_batch_waits_for_others() {
    let busy = Busy::new();
    let mut tasks: Tasks<'_, usize> = Tasks::new();
    let [one, two] = [tasks.add(busy.load("1")), tasks.add(busy.load("2"))];
    assert!(tasks.poll(one).is_none() && tasks.poll(two).is_none());
    let batch = tasks.add(both(&busy.cache, [1, 2], u32::to_string));
    assert!(tasks.poll(batch).is_none());
    let waits = tasks.add(busy.load("1"));
    assert!(tasks.poll(waits).is_none());
    tasks.drop_task(one);
    assert!((0..10).all(|_| tasks.poll(batch).is_none()), "the load of 2 goes on");
    assert_eq!(tasks.poll(waits), Some(7));
}

#[test]
fn two_batches_that_take_over_each_others_keys_do_not_wait_for_each_other() {
    let busy = Busy::new();
    let mut tasks: Tasks<'_, usize> = Tasks::new();
    let [one, two] = [tasks.add(busy.load("1")), tasks.add(busy.load("2"))];
    assert!(tasks.poll(one).is_none() && tasks.poll(two).is_none());
    let batches = [[1, 2], [2, 1]].map(|ids| tasks.add(both(&busy.cache, ids, u32::to_string)));
    for batch in batches {
        assert!(tasks.poll(batch).is_none());
    }
    tasks.drop_task(one);
    tasks.drop_task(two);
    let answers: Vec<usize> = (0..10).flat_map(|_| tasks.poll_all()).collect();
    assert_eq!(answers, [2, 2]);
}

#[test]
fn a_batch_that_takes_a_stale_reload_over_keeps_its_fence_and_stores() {
    let world = memory();
    let options = LoadOptions::new().stale_if_error("10m");
    let cache = world.builder().prefix("test").load_options(options).build().unwrap();
    let (database, stuck) = (Database::default(), Gate::default());
    block_on(remember(&cache, "1", &database, &Gate::opened())).unwrap();
    world.pass(Duration::from_secs(3600));
    let mut tasks: Tasks<'_, usize> = Tasks::new();
    let leader = tasks.add(async { remember(&cache, "1", &database, &stuck).await.unwrap() });
    assert!(tasks.poll(leader).is_none());
    let batch = tasks.add(both(&cache, [1, 2], u32::to_string));
    assert!(tasks.poll(batch).is_none());
    tasks.drop_task(leader);
    assert_eq!((0..10).find_map(|_| tasks.poll(batch)), Some(2));
    assert_eq!(block_on(cache.get::<usize>("1")).unwrap(), Some(7));
    assert_eq!(cache.stats().voided_fills, 0);
}

#[test]
fn a_panic_in_what_a_batch_loader_answers_is_a_panic_of_the_load() {
    let cache = memory().cache();
    let load = async |_: Vec<u32>| Ok::<_, &str>((0..2).map(|_| -> (u32, usize) { panic!("on purpose") }));
    let answer = block_on(cache.remember_many([1_u32], u32::to_string, 60, load));
    assert!(matches!(answer, Err(LoadError::Panicked)));
    assert_eq!(block_on(both(&cache, [1, 2], u32::to_string)), 2);
}

#[test]
fn the_call_after_a_failed_load_loads_while_the_failed_one_still_clears_away() {
    let world = memory();
    let (cache, gate) = (world.cache(), Gate::default());
    let ran = Cell::new(0);
    let call = |fails: bool| {
        let (cache, gate, ran) = (&cache, &gate, &ran);
        async move {
            let load = async || {
                ran.set(ran.get() + 1);
                gate.wait().await;
                if fails { Err("away") } else { Ok(9_usize) }
            };
            let answer: Answer = cache.remember("key", 60, load).await;
            answer
        }
    };
    let mut tasks = Tasks::new();
    let (leader, follower) = (tasks.add(call(true)), tasks.add(call(false)));
    assert!(tasks.poll(leader).is_none() && tasks.poll(follower).is_none());
    let hold = world.backend.faults().hold_of(Operation::Delete);
    gate.open();
    assert!(tasks.poll(leader).is_none(), "it releases its marker");
    assert!(tasks.poll(follower).unwrap().is_err());
    assert_eq!(block_on(call(false)).unwrap(), 9);
    assert_eq!(ran.get(), 2);
    hold.release();
    assert!(tasks.poll(leader).unwrap().is_err());
}

#[test]
fn late_readers_of_a_stale_value_look_again_before_they_reload_it() {
    for (options, seconds) in [
        (LoadOptions::new().stale_if_error("10m"), 3600),
        (LoadOptions::new().refresh_ahead(0.5), 1801),
    ] {
        let world = memory();
        let cache = world.builder().prefix("test").load_options(options).build().unwrap();
        let (database, open) = (Database::default(), Gate::opened());
        block_on(remember(&cache, "key", &database, &open)).unwrap();
        world.pass(Duration::from_secs(seconds));
        // Each has its read under way, of the old value, before the first goes on.
        let mut tasks = Tasks::new();
        let hold = world.backend.faults().hold_of(Operation::Set);
        let first = tasks.add(remember(&cache, "key", &database, &open));
        assert!(tasks.poll(first).is_none());
        let others: Vec<usize> = (0..10)
            .map(|_| tasks.add(remember(&cache, "key", &database, &open)))
            .collect();
        hold.release();
        tasks.poll(first);
        for other in others {
            (0..10).find_map(|_| tasks.poll(other)).unwrap().unwrap();
        }
        assert_eq!((database.loads(), cache.stats().voided_fills), (2, 0));
    }
}

#[test]
fn a_forced_refresh_stores_what_it_loads_although_an_older_load_is_under_way() {
    let world = memory();
    let cache = world.cache();
    let (database, old, new) = (Database::default(), Gate::default(), Gate::default());
    let options = LoadOptions::new().force_refresh();
    let mut tasks: Tasks<'_, Answer> = Tasks::new();
    let older = tasks.add(remember(&cache, "key", &database, &old));
    assert!(tasks.poll(older).is_none());
    let written = database.write();
    let forced = tasks.add(async {
        let load = async || database.read(new.clone()).await.map(Loaded::value);
        let answer = cache.remember_with("key", 60, &options, load).await?;
        Ok(answer.value.unwrap())
    });
    assert!(tasks.poll(forced).is_none());
    old.open();
    assert_eq!(tasks.poll(older).unwrap().unwrap(), 0);
    new.open();
    assert_eq!(tasks.poll(forced).unwrap().unwrap(), written);
    assert_eq!(block_on(cache.get::<usize>("key")).unwrap(), Some(written));
}

#[test]
fn a_key_of_another_type_is_loaded_each_time_and_left_as_it_is() {
    let world = memory();
    let (cache, database) = (world.cache(), Database::default());
    world.backend.insert_other_type("test:key");
    for _ in 0..2 {
        assert_eq!(
            block_on(remember(&cache, "key", &database, &Gate::opened())).unwrap(),
            0
        );
    }
    assert_eq!(database.loads(), 2);
    assert!(world.backend.holds_other_type("test:key"));
    // A read, a marker that is refused, and one more look.
    assert_eq!(world.backend.calls().total(), 6);
    assert!(block_on(world.backend.get("test:key")).unwrap().is_none());
}
