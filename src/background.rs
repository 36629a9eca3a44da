//! A plain thread for what must happen after a caller has gone away, started when it is first needed.

use std::{panic::AssertUnwindSafe, thread};

use futures::{
    FutureExt, StreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    executor::block_on,
    future::BoxFuture,
    stream::FuturesUnordered,
};
use parking_lot::Mutex;

type Job = BoxFuture<'static, ()>;

static QUEUE: Mutex<Option<UnboundedSender<Job>>> = Mutex::new(None);

/// Runs `job` to its end on the background thread. Where no thread can be started, the job is dropped: nothing here
/// may be needed for correctness.
pub(crate) fn spawn(job: Job) {
    let mut queue = QUEUE.lock();
    let job = match &*queue {
        Some(queue) => match queue.unbounded_send(job) {
            Ok(()) => return,
            Err(unsent) => unsent.into_inner(),
        },
        None => job,
    };
    let (sender, receiver) = unbounded();
    let thread = thread::Builder::new().name("larder".into());
    if thread.spawn(move || block_on(run(receiver))).is_ok() && sender.unbounded_send(job).is_ok() {
        *queue = Some(sender);
    }
}

async fn run(mut queue: UnboundedReceiver<Job>) {
    let mut running = FuturesUnordered::new();
    loop {
        futures::select_biased! {
            job = queue.next() => match job {
                // One job's panic must not take the others with it.
                Some(job) => running.push(AssertUnwindSafe(job).catch_unwind()),
                None => return,
            },
            _ = running.select_next_some() => {}
        }
    }
}
