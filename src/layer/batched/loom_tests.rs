//! Every interleaving of a few calls in batches:
//! `RUSTFLAGS="--cfg larder_loom" cargo test -p larder --lib loom_tests --release`.
//!
//! A call that is never woken again leaves its thread blocked for ever, which loom reports.

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use loom::{future::block_on, thread};

use super::{
    batch::Answer,
    builder::Limits,
    errand::{Errand, ErrandTo},
    lane::Lane,
};
use crate::{
    backend::SetItem,
    clock::{Clock, Sleep},
    error::{Error, Result},
    sync::Mutex,
};

/// Answers what it is asked, once it is open.
#[derive(Default)]
struct Store {
    door: Mutex<Door>,
}

#[derive(Default)]
struct Door {
    is_open: bool,
    waiting: Vec<Waker>,
}

impl Store {
    fn open(&self) {
        let waiting = {
            let mut door = self.door.lock();
            door.is_open = true;
            std::mem::take(&mut door.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

#[derive(Default)]
struct Echo(Vec<u32>);

impl Errand for Echo {
    type Ask<'a> = u32;
    type Answer = u32;

    const OPERATION: &'static str = "get";

    fn weight(_: &u32) -> usize {
        4
    }

    fn size(_: &u32) -> usize {
        4
    }

    fn push(&mut self, ask: u32, _: Duration) {
        self.0.push(ask);
    }

    fn forget(&mut self, _: usize) -> Option<SetItem> {
        None
    }

    fn is_worth_asking_alone(_: &Error) -> bool {
        false
    }
}

impl ErrandTo<Store> for Echo {
    async fn run(self, places: &[usize], _: Duration, store: Arc<Store>) -> Vec<Result<u32>> {
        poll_fn(|cx| {
            let mut door = store.door.lock();
            if door.is_open {
                return Poll::Ready(());
            }
            door.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
        places.iter().map(|&place| Ok(self.0[place])).collect()
    }
}

/// No deadline ever comes.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn unix_time(&self) -> Duration {
        Duration::ZERO
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

type EchoLane = Arc<Lane<Store, Echo>>;

fn lane(store: &Arc<Store>) -> EchoLane {
    let limits = Limits {
        alone: 0,
        calls: 2,
        bytes: 100,
        batches: 1,
        in_flight: 10,
        deadline: Duration::from_secs(1),
    };
    Lane::new(Arc::clone(store), limits, Arc::new(Still), None)
}

fn call(lane: &EchoLane, ask: u32) {
    let _call = lane.enter().unwrap();
    match block_on(lane.join(ask)) {
        Answer::Own(answer) => assert_eq!(answer.unwrap(), ask),
        Answer::AskAlone => panic!("the store answers everything"),
    }
}

fn in_every_order(test: impl Fn(&Arc<Store>, &EchoLane) + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(move || {
        let store = Arc::new(Store::default());
        let lane = lane(&store);
        test(&store, &lane);
        assert_eq!(lane.calls(), 0);
        let left = Arc::downgrade(&lane);
        drop(lane);
        assert_eq!(left.strong_count(), 0, "a job was left behind");
    });
}

fn opens(store: &Arc<Store>) -> thread::JoinHandle<()> {
    let store = Arc::clone(store);
    thread::spawn(move || store.open())
}

#[test]
fn two_callers_hand_their_batches_to_each_other() {
    in_every_order(|store, lane| {
        let opening = opens(store);
        let other = Arc::clone(lane);
        let calling = thread::spawn(move || call(&other, 1));
        call(lane, 2);
        calling.join().unwrap();
        opening.join().unwrap();
    });
}

#[test]
fn a_caller_that_leaves_hands_its_batch_to_those_that_stay() {
    in_every_order(|store, lane| {
        let opening = opens(store);
        let other = Arc::clone(lane);
        let leaving = thread::spawn(move || {
            let _call = other.enter().unwrap();
            let mut waiting = std::pin::pin!(other.join(1));
            let _ = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        });
        call(lane, 2);
        leaving.join().unwrap();
        opening.join().unwrap();
    });
}

#[test]
fn a_caller_left_unpolled_keeps_nobody_waiting() {
    in_every_order(|store, lane| {
        let opening = opens(store);
        {
            let _call = lane.enter().unwrap();
            let mut unpolled = std::pin::pin!(lane.join(1));
            let _ = unpolled.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            call(lane, 2);
        }
        opening.join().unwrap();
    });
}
