use std::{sync::atomic::AtomicUsize, task::Wake};

use tokio::{
    runtime::{Builder, Runtime},
    task::yield_now,
    time::advance,
};

use super::*;

const SPAN: Duration = Duration::from_millis(250);

#[derive(Default)]
struct Caller(AtomicUsize);

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Caller {
    fn new() -> (Arc<Self>, Waker) {
        let caller = Arc::new(Self::default());
        (Arc::clone(&caller), Waker::from(caller))
    }

    fn woken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Lets the watch do what it has to, now.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

async fn pass(span: Duration) {
    settle().await;
    advance(span).await;
    settle().await;
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[test]
fn each_is_woken_at_its_end_and_one_task_sees_to_all() {
    runtime().block_on(async {
        let deadlines = Deadlines::new(SPAN, Handle::current());
        let callers: Vec<_> = (0..5).map(|_| Caller::new()).collect();
        let mut tickets = Vec::new();
        for (_, waker) in &callers {
            tickets.push(deadlines.enter(waker));
            pass(Duration::from_millis(10)).await;
        }
        assert_eq!(tasks(), 1);
        // The second has its answer.
        deadlines.leave(&tickets[1]);
        pass(Duration::from_millis(199)).await;
        assert!(callers.iter().all(|(caller, _)| caller.woken() == 0));
        for (place, ((caller, waker), ticket)) in callers.iter().zip(&tickets).enumerate() {
            pass(Duration::from_millis(if place == 0 { 1 } else { 10 })).await;
            assert_eq!(caller.woken(), usize::from(place != 1), "{place}");
            assert!(deadlines.is_over(ticket, waker), "{place}");
            deadlines.leave(ticket);
        }
        for _ in 0..3 {
            pass(SPAN).await;
        }
        assert_eq!(tasks(), 0);

        // Who comes after that has a new one.
        let (caller, waker) = Caller::new();
        let ticket = deadlines.enter(&waker);
        assert!(!deadlines.is_over(&ticket, &waker));
        pass(SPAN).await;
        assert_eq!(caller.woken(), 1);
    });
}

#[test]
fn the_caller_who_polled_last_is_woken() {
    runtime().block_on(async {
        let deadlines = Deadlines::new(SPAN, Handle::current());
        let ((former, first), (latter, second)) = (Caller::new(), Caller::new());
        let ticket = deadlines.enter(&first);
        assert!(!deadlines.is_over(&ticket, &second));
        pass(SPAN).await;
        assert_eq!((former.woken(), latter.woken()), (0, 1));
    });
}

#[test]
fn one_that_waits_long_keeps_no_room_for_those_that_come_and_go() {
    runtime().block_on(async {
        let deadlines = Deadlines::new(SPAN, Handle::current());
        let (_, waker) = Caller::new();
        let first = deadlines.enter(&waker);
        for _ in 0..10_000 {
            deadlines.leave(&deadlines.enter(&waker));
            assert!(deadlines.queue.lock().places.len() <= 2 + EMPTY);
        }
        let last = deadlines.enter(&waker);
        assert!(!deadlines.is_over(&first, &waker) && !deadlines.is_over(&last, &waker));
        deadlines.leave(&first);
        deadlines.leave(&first);
        assert!(!deadlines.is_over(&last, &waker));
        assert_eq!(deadlines.queue.lock().waiting, 1);
    });
}

#[test]
fn closing_leaves_no_task_and_lets_nobody_wait_in_vain() {
    runtime().block_on(async {
        let deadlines = Deadlines::new(SPAN, Handle::current());
        let (caller, waker) = Caller::new();
        deadlines.leave(&deadlines.enter(&waker));
        settle().await;
        deadlines.close();
        settle().await;
        assert_eq!(tasks(), 0);

        deadlines.enter(&waker);
        drop(deadlines);
        settle().await;
        assert_eq!((tasks(), caller.woken()), (1, 0));
        pass(SPAN).await;
        assert_eq!((tasks(), caller.woken()), (0, 1));
    });
}

#[test]
fn the_task_counts_once_it_runs_and_until_it_has_nothing_to_do() {
    runtime().block_on(async {
        let deadlines = Deadlines::new(SPAN, Handle::current());
        assert!(!deadlines.are_watched() && !deadlines.are_watched());
        assert_eq!(tasks(), 1);
        settle().await;
        assert!(deadlines.are_watched());
        for _ in 0..3 {
            pass(SPAN).await;
        }
        assert_eq!(tasks(), 0);
        assert!(!deadlines.are_watched());
        settle().await;
        let (caller, waker) = Caller::new();
        assert!(deadlines.are_watched());
        deadlines.enter(&waker);
        pass(SPAN).await;
        assert_eq!(caller.woken(), 1);
    });
}

#[test]
fn where_the_runtime_ends_nobody_is_left_waiting() {
    let runtime = runtime();
    let deadlines = Deadlines::new(SPAN, runtime.handle().clone());
    let (caller, waker) = Caller::new();
    let ticket = deadlines.enter(&waker);
    drop(runtime);
    assert_eq!(caller.woken(), 1);
    assert!(deadlines.is_over(&ticket, &waker));
    let late = deadlines.enter(&waker);
    assert_eq!(caller.woken(), 2);
    assert!(deadlines.is_over(&late, &waker));
}
