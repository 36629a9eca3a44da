use std::{
    future::poll_fn,
    sync::{Arc, Weak},
    task::{Poll, Waker},
    thread,
    time::Duration,
};

use larder::Clock;
use parking_lot::Mutex;

/// How often a thread looks whether the clock has moved.
const LOOK_EVERY: Duration = Duration::from_millis(1);

type Sleeper = Mutex<Option<Waker>>;

/// Waits until `clock` reads `due` or more.
///
/// A clock can be read and not waited for, so a short-lived thread reads it; a manual clock then serves as well as
/// the system's. The thread ends when the future is dropped.
pub(crate) async fn until(clock: Arc<dyn Clock>, due: Duration) {
    let sleeper: Arc<Sleeper> = Arc::default();
    let mut is_watched = false;
    poll_fn(|cx| {
        // The waker is in place before the clock is read: a thread that sees the moment first then has it to wake.
        *sleeper.lock() = Some(cx.waker().clone());
        if clock.monotonic() >= due {
            return Poll::Ready(());
        }
        if !is_watched {
            is_watched = true;
            let (clock, sleeper) = (Arc::clone(&clock), Arc::downgrade(&sleeper));
            thread::spawn(move || watch(clock.as_ref(), due, &sleeper));
        }
        Poll::Pending
    })
    .await;
}

fn watch(clock: &dyn Clock, due: Duration, sleeper: &Weak<Sleeper>) {
    while sleeper.strong_count() > 0 {
        if clock.monotonic() < due {
            thread::sleep(LOOK_EVERY);
            continue;
        }
        let waker = sleeper.upgrade().and_then(|sleeper| sleeper.lock().take());
        if let Some(waker) = waker {
            waker.wake();
        }
        return;
    }
}
