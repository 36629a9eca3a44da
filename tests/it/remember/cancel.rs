//! Callers that go away.

use larder::{Cache, CacheBackend};

use super::support::{Database, Gate, Tasks, remember};
use crate::backends::{World, memory, on_each_backend};

/// Waits until the background has released what cancelled loads left.
async fn is_released<B: CacheBackend>(world: &World<B>) {
    let began = std::time::Instant::now();
    while world.backend.get("test:key").await.unwrap().is_some() {
        assert!(began.elapsed().as_secs() < 10, "the marker was not released");
        std::thread::yield_now();
    }
}

on_each_backend! {
    async fn scenario_04_cancelled_leader_hands_over_to_exactly_one_follower(world) {
        let (cache, database, gate) = (world.cache(), Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        for _ in 0..50 {
            tasks.add(remember(&cache, "key", &database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        tasks.drop_task(0);
        assert!(tasks.poll_all().is_empty());
        assert_eq!((database.loads(), database.most_running()), (2, 1));
        gate.open();
        let answers = tasks.poll_all();
        assert_eq!(answers.len(), 49);
        assert!(answers.into_iter().all(|answer| answer.is_ok()));
        assert_eq!((database.loads(), database.most_running()), (2, 1));
        assert_eq!(cache.get::<usize>("key").await.unwrap(), Some(0));
    }
}

on_each_backend! {
    async fn scenario_04_leader_cancelled_100_times_in_a_row_among_50_waiters(world) {
        let (cache, database, gate) = (world.cache(), Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        for _ in 0..150 {
            tasks.add(remember(&cache, "key", &database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        for cancelled in 0..100 {
            // Followers take over in the order they came.
            tasks.drop_task(cancelled);
            assert!(tasks.poll_all().is_empty());
            assert_eq!((database.loads(), database.most_running()), (cancelled + 2, 1));
        }
        gate.open();
        assert_eq!(tasks.poll_all().len(), 50);
        assert_eq!(tasks.left(), 0);
        assert_eq!((database.loads(), database.most_running()), (101, 1));
        // What was loaded took the place of the first leader's marker, which its heirs inherited.
        assert_eq!(world.backend.get("test:key").await.unwrap().unwrap().bytes()[3], b'V');
    }
}

on_each_backend! {
    async fn scenario_04_followers_come_and_go_without_a_trace(world) {
        let (cache, database, gate) = (world.cache(), Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        for _ in 0..10 {
            tasks.add(remember(&cache, "key", &database, &gate));
        }
        assert!(tasks.poll_all().is_empty());
        for follower in 1..10 {
            tasks.drop_task(follower);
        }
        gate.open();
        assert_eq!(tasks.poll_all().len(), 1);
        assert_eq!(database.loads(), 1);
        drop(world);
    }
}

on_each_backend! {
    async fn a_cancelled_load_that_nobody_waits_for_leaves_no_marker(world) {
        let (cache, database, gate) = (world.cache(), Database::default(), Gate::default());
        let mut tasks = Tasks::new();
        tasks.add(remember(&cache, "key", &database, &gate));
        tasks.add(remember(&cache, "key", &database, &gate));
        assert!(tasks.poll_all().is_empty());
        tasks.drop_task(0);
        tasks.drop_task(1);
        is_released(&world).await;
        assert_eq!(remember(&cache, "key", &database, &Gate::opened()).await.unwrap(), 0);
        assert_eq!(database.loads(), 2);
    }
}

#[test]
fn a_leader_dropped_at_every_step_leaves_neither_a_marker_nor_a_waiter_behind() {
    // The gate of the backend holds every call of it, so the drop comes before, in and after each.
    for steps in 0..8 {
        let world = memory();
        let cache: Cache<_> = world.cache();
        let database = Database::default();
        let (held, open) = (Gate::default(), Gate::opened());
        let mut tasks = Tasks::new();
        let leader = tasks.add(remember(&cache, "key", &database, &held));
        let follower = tasks.add(remember(&cache, "key", &database, &open));
        for step in 0..steps {
            let hold = world.backend.faults().hold();
            tasks.poll(leader);
            if step == 3 {
                assert!(tasks.poll(follower).is_none());
            }
            hold.release();
        }
        let early = tasks.poll(follower);
        tasks.drop_task(leader);
        let answer = early.or_else(|| (0..20).find_map(|_| tasks.poll(follower)));
        assert_eq!(answer.unwrap().unwrap(), 0, "dropped at step {steps}");
        crate::backends::block_on(async {
            assert_eq!(
                cache.get::<usize>("key").await.unwrap(),
                Some(0),
                "dropped at step {steps}"
            );
        });
    }
}
