//! Many ids, one load.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use larder::{Cache, CacheBackend, ErrorKind, LoadError, LoadOptions, Loaded, Source};
use larder_memory::Operation;

use super::support::{Database, Gate, Tasks, remember};
use crate::backends::{block_on, memory, on_each_backend};

type Asked = RefCell<Vec<Vec<u32>>>;

/// Asks for `ids`; the loader knows all but those from 900 on, and answers ten times the id once `gate` is open.
async fn many<B: CacheBackend + 'static>(
    cache: &Cache<B>,
    ids: &[u32],
    options: &LoadOptions,
    asked: &Asked,
    gate: &Gate,
) -> Vec<(u32, Result<(Option<u32>, Source), String>)> {
    let load = |missing: Vec<u32>| async move {
        asked.borrow_mut().push(missing.clone());
        gate.wait().await;
        if missing.contains(&666) {
            return Err("the database is away");
        }
        Ok(missing
            .into_iter()
            .filter(|id| *id < 900)
            .map(|id| (id, Loaded::value(id * 10)))
            .collect::<HashMap<_, _>>())
    };
    let answers = cache
        .remember_many_with(ids.iter().copied(), u32::to_string, "1h", options, load)
        .await
        .unwrap();
    answers
        .into_iter()
        .map(|(id, answer)| {
            let answer = answer.map(|answer| (answer.value, answer.source));
            (id, answer.map_err(|error| error.to_string()))
        })
        .collect()
}

on_each_backend! {
    async fn only_the_missing_are_loaded_in_one_call(world) {
        let (cache, asked, gate) = (world.cache(), Asked::default(), Gate::opened());
        let options = LoadOptions::new();
        cache.set("2", &20_u32, 60).await.unwrap();
        let answers = many(&cache, &[3, 2, 1, 3, 900], &options, &asked, &gate).await;
        assert_eq!(answers, [
            (3, Ok((Some(30), Source::Loaded))),
            (2, Ok((Some(20), Source::Hit))),
            (1, Ok((Some(10), Source::Loaded))),
            (900, Ok((None, Source::Loaded))),
        ]);
        assert_eq!(*asked.borrow(), [vec![3, 1, 900]]);
        let again = many(&cache, &[1, 2, 3], &options, &asked, &gate).await;
        assert!(again.iter().all(|(_, answer)| answer.as_ref().unwrap().1 == Source::Hit));
        assert_eq!(asked.borrow().len(), 1);
        assert!(world.backend.get("test:900").await.unwrap().is_none());
        assert!(many(&cache, &[], &options, &asked, &gate).await.is_empty());
    }
}

on_each_backend! {
    async fn ids_that_are_not_there_are_cached_on_request(world) {
        let (cache, asked, gate) = (world.cache(), Asked::default(), Gate::opened());
        let options = LoadOptions::new().negative_ttl("10s");
        for source in [Source::Loaded, Source::Hit] {
            let answers = many(&cache, &[900, 901], &options, &asked, &gate).await;
            assert_eq!(answers, [(900, Ok((None, source))), (901, Ok((None, source)))]);
        }
        assert_eq!(asked.borrow().len(), 1);
        world.pass(Duration::from_secs(10));
        many(&cache, &[900], &options, &asked, &gate).await;
        assert_eq!(asked.borrow().len(), 2);
    }
}

on_each_backend! {
    async fn loads_under_way_are_joined_and_each_key_is_loaded_once(world) {
        let (cache, asked, gate) = (world.cache(), Asked::default(), Gate::default());
        let options = LoadOptions::new();
        let mut tasks = Tasks::new();
        tasks.add(many(&cache, &[1, 2, 3], &options, &asked, &gate));
        tasks.add(many(&cache, &[3, 4, 1], &options, &asked, &gate));
        tasks.add(many(&cache, &[4, 2], &options, &asked, &gate));
        assert!(tasks.poll_all().is_empty());
        assert_eq!(*asked.borrow(), [vec![1, 2, 3], vec![4]]);
        gate.open();
        let mut answers = tasks.poll_all();
        answers.extend(tasks.poll_all());
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[1], [
            (3, Ok((Some(30), Source::Shared))),
            (4, Ok((Some(40), Source::Loaded))),
            (1, Ok((Some(10), Source::Shared))),
        ]);
        assert_eq!(asked.borrow().len(), 2);
        drop(world);
    }
}

on_each_backend! {
    async fn a_single_call_and_a_batch_share_their_loads(world) {
        let (cache, asked) = (world.cache(), Asked::default());
        let (database, gate) = (Database::default(), Gate::default());
        let options = LoadOptions::new();
        let mut tasks: Tasks<'_, usize> = Tasks::new();
        tasks.add(async { remember(&cache, "1", &database, &gate).await.unwrap() });
        tasks.add(async {
            let open = Gate::opened();
            many(&cache, &[1, 2], &options, &asked, &open).await.len()
        });
        assert!(tasks.poll_all().is_empty());
        assert_eq!(*asked.borrow(), [vec![2]]);
        gate.open();
        assert_eq!(tasks.poll_all(), [0, 2]);
        assert_eq!(database.loads(), 1);
        drop(world);
    }
}

on_each_backend! {
    async fn a_load_that_goes_away_is_taken_over_by_the_batch_that_waits(world) {
        let (cache, asked, gate) = (world.cache(), Asked::default(), Gate::default());
        let options = LoadOptions::new();
        let mut tasks = Tasks::new();
        let first = tasks.add(many(&cache, &[1, 2], &options, &asked, &gate));
        let second = tasks.add(many(&cache, &[2, 3], &options, &asked, &gate));
        assert!(tasks.poll_all().is_empty());
        tasks.drop_task(first);
        gate.open();
        let answers = (0..5).find_map(|_| tasks.poll(second)).unwrap();
        assert_eq!(answers, [(2, Ok((Some(20), Source::Loaded))), (3, Ok((Some(30), Source::Loaded)))]);
        assert_eq!(*asked.borrow(), [vec![1, 2], vec![3], vec![2]]);
        drop(world);
    }
}

on_each_backend! {
    async fn a_failed_load_fails_the_ids_it_was_for_and_leaves_no_marker(world) {
        let (cache, asked, gate) = (world.cache(), Asked::default(), Gate::opened());
        cache.set("1", &10_u32, 60).await.unwrap();
        let answers = many(&cache, &[1, 666, 2], &LoadOptions::new(), &asked, &gate).await;
        let failed = || Err("the load failed: the database is away".to_owned());
        assert_eq!(answers, [(1, Ok((Some(10), Source::Hit))), (666, failed()), (2, failed())]);
        assert!(world.backend.get("test:2").await.unwrap().is_none());
        let whole: Result<HashMap<u32, u32>, LoadError<&str>> = cache
            .remember_many([1, 2], u32::to_string, 60, async |_| Err::<Vec<(u32, u32)>, _>("away"))
            .await;
        assert_eq!(whole.unwrap_err().loader(), Some(&"away"));
    }
}

on_each_backend! {
    async fn scenario_03_invalidate_during_a_batch_load_voids_that_key_alone(world) {
        let (cache, asked, gate) = (world.cache(), Asked::default(), Gate::default());
        let options = LoadOptions::new();
        let mut tasks = Tasks::new();
        tasks.add(many(&cache, &[1, 2, 3], &options, &asked, &gate));
        assert!(tasks.poll_all().is_empty());
        cache.delete("1").await.unwrap();
        world.cache().delete("2").await.unwrap();
        gate.open();
        assert_eq!(tasks.poll_all()[0].len(), 3);
        let cached: HashMap<String, u32> = cache.get_many(["1", "2", "3"]).await.unwrap();
        assert_eq!(cached, HashMap::from([("3".to_owned(), 30)]));
        assert_eq!(cache.stats().voided_fills, 2);
    }
}

#[test]
fn a_cold_batch_is_three_calls_of_the_backend_and_a_warm_one_is_one() {
    let world = memory();
    let (cache, asked, gate) = (world.cache(), Asked::default(), Gate::opened());
    let ids: Vec<u32> = (0..100).collect();
    block_on(many(&cache, &ids, &LoadOptions::new(), &asked, &gate));
    let calls = world.backend.calls();
    world.backend.reset_calls();
    assert_eq!(
        (
            calls.of(Operation::GetMany),
            calls.of(Operation::SetMany),
            calls.total()
        ),
        (1, 2, 3)
    );
    block_on(many(&cache, &ids, &LoadOptions::new(), &asked, &gate));
    assert_eq!(world.backend.calls().total(), 1);
}

#[test]
fn an_outage_costs_no_value_of_a_batch() {
    let world = memory();
    let (cache, asked, gate) = (world.cache(), Asked::default(), Gate::opened());
    world.backend.faults().fail_all(ErrorKind::Connection);
    let answers = block_on(many(&cache, &[1, 2], &LoadOptions::new(), &asked, &gate));
    assert_eq!(
        answers,
        [(1, Ok((Some(10), Source::Loaded))), (2, Ok((Some(20), Source::Loaded)))]
    );
    assert_eq!(asked.borrow().len(), 1);
}
