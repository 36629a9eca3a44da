//! Every interleaving of a few calls on the flight table:
//! `RUSTFLAGS="--cfg larder_loom" cargo test -p larder --lib loom_tests --release`.

use bytes::Bytes;
use loom::{
    future::block_on,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use super::*;

#[derive(Default)]
struct World {
    flights: Flights,
    running: AtomicUsize,
    loads: AtomicUsize,
    /// The next leader goes away instead of landing.
    cancels: AtomicBool,
}

impl World {
    /// What `remember` does, with a load that takes no time: the flight it was on lands, or it goes away with it.
    fn call(&self, key: &str, ticket: Ticket) {
        match self.flights.board(key, ticket, Sight::Nothing) {
            Boarding::Leader(leader) => self.lead(leader),
            Boarding::Follower(follower) => match block_on(follower) {
                Arrival::TakeOver(leader) => self.lead(leader),
                Arrival::Landed(Landing::Entry(_)) => {}
                Arrival::Landed(other) => panic!("{other:?}"),
            },
            Boarding::Reentrant => panic!("no load calls itself here"),
        }
    }

    fn lead(&self, mut leader: Leader) {
        if leader.fence().is_none() {
            leader.attempt(Bytes::from_static(b"placed"));
            leader.fill_against(Bytes::from_static(b"fence"));
        }
        leader.begin();
        assert_eq!(self.running.fetch_add(1, SeqCst), 0, "two loads run at the same time");
        self.loads.fetch_add(1, SeqCst);
        self.running.fetch_sub(1, SeqCst);
        if self.cancels.swap(false, SeqCst) {
            return;
        }
        leader.land(Landing::Entry(Bytes::new()));
        leader.settle();
    }

    fn is_idle(&self) {
        assert_eq!(self.flights.len(), 0, "a flight was left behind");
    }
}

fn with_threads(cancels: bool, keys: &'static [&'static str], check: fn(&World)) {
    let mut model = loom::model::Builder::new();
    // Three threads have too many interleavings to see them all; most bugs need two switches at the wrong moment.
    model.preemption_bound = (keys.len() > 2).then_some(2);
    model.check(move || {
        let world = Arc::new(World {
            cancels: AtomicBool::new(cancels),
            ..World::default()
        });
        let ticket = world.flights.ticket();
        let threads: Vec<_> = keys[1..]
            .iter()
            .map(|&key| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.call(key, ticket))
            })
            .collect();
        world.call(keys[0], ticket);
        for thread in threads {
            thread.join().unwrap();
        }
        world.is_idle();
        check(&world);
    });
}

#[test]
fn of_two_calls_both_end_and_no_two_loads_run_at_once() {
    with_threads(false, &["key", "key"], |world| {
        assert!((1..=2).contains(&world.loads.load(SeqCst)));
        assert!(world.flights.take_abandoned().is_empty());
    });
}

#[test]
fn a_cancelled_leader_leaves_nobody_waiting_and_its_fence_to_an_heir_or_to_be_released() {
    with_threads(true, &["key", "key"], |world| {
        let abandoned = world.flights.take_abandoned().len();
        // An heir settles the fence; without one it is given back, once.
        assert!(abandoned <= 1);
        assert!((1..=2).contains(&world.loads.load(SeqCst)));
    });
}

#[test]
fn of_three_calls_one_takes_over_from_a_cancelled_leader_and_the_third_is_not_forgotten() {
    with_threads(true, &["key", "key", "key"], |world| {
        assert!((1..=3).contains(&world.loads.load(SeqCst)));
        assert!(world.flights.take_abandoned().len() <= 1);
    });
}

#[test]
fn a_panicking_leader_lands_for_everybody() {
    loom::model(|| {
        let world = Arc::new(World::default());
        let ticket = world.flights.ticket();
        let other = {
            let world = Arc::clone(&world);
            thread::spawn(move || match world.flights.board("key", ticket, Sight::Nothing) {
                Boarding::Leader(leader) => world.lead(leader),
                Boarding::Follower(follower) => {
                    assert!(matches!(block_on(follower), Arrival::Landed(_)));
                }
                Boarding::Reentrant => panic!("no load calls itself here"),
            })
        };
        if let Boarding::Leader(mut leader) = world.flights.board("key", ticket, Sight::Nothing) {
            leader.begin();
            leader.land(Landing::Panicked);
        }
        other.join().unwrap();
        world.is_idle();
    });
}

#[test]
fn two_keys_do_not_wait_for_each_other() {
    loom::model(|| {
        let world = Arc::new(World::default());
        let ticket = world.flights.ticket();
        let Boarding::Leader(held) = world.flights.board("one", ticket, Sight::Nothing) else {
            panic!("the first on its key leads");
        };
        let other = {
            let world = Arc::clone(&world);
            thread::spawn(move || world.call("two", ticket))
        };
        other.join().unwrap();
        assert_eq!(world.flights.len(), 1);
        drop(held);
        world.is_idle();
    });
}

#[test]
fn a_follower_that_leaves_while_its_leader_goes_away_loses_nothing() {
    loom::model(|| {
        let world = Arc::new(World::default());
        let ticket = world.flights.ticket();
        let Boarding::Leader(leader) = world.flights.board("key", ticket, Sight::Nothing) else {
            panic!("the first leads");
        };
        leader.attempt(Bytes::from_static(b"placed"));
        leader.fill_against(Bytes::from_static(b"fence"));
        let leaves = {
            let world = Arc::clone(&world);
            // Boards and goes away without waiting, whoever leads by then.
            thread::spawn(move || drop(world.flights.board("key", ticket, Sight::Nothing)))
        };
        drop(leader);
        leaves.join().unwrap();
        world.is_idle();
        assert_eq!(
            world.flights.take_abandoned().len(),
            1,
            "the fence is given back exactly once"
        );
    });
}

#[test]
fn a_call_after_a_void_never_shares_the_load_before_it() {
    loom::model(|| {
        let world = Arc::new(World::default());
        let ticket = world.flights.ticket();
        let Boarding::Leader(mut old) = world.flights.board("key", ticket, Sight::Nothing) else {
            panic!("the first leads");
        };
        old.begin();
        let invalidates = {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                world.flights.void("key");
                let after = world.flights.ticket();
                match world.flights.board("key", after, Sight::Blind) {
                    Boarding::Leader(mut leader) => leader.land(Landing::Nothing),
                    Boarding::Follower(_) => panic!("shared a load that was voided"),
                    Boarding::Reentrant => panic!("no load calls itself here"),
                }
            })
        };
        old.land(Landing::Nothing);
        drop(old);
        invalidates.join().unwrap();
        world.is_idle();
    });
}
