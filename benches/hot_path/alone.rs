//! One call at a time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fred::interfaces::KeysInterface;
use larder_fred::fred;
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use tokio::runtime::Runtime;

use super::{KEYS, User, World};

/// One call after the other. The contenders take turns of a few calls in an order by chance: whether a call takes 10 or 60
/// us is decided by where the system has put the threads, which changes within a run, and with it the calls of all.
pub(super) fn run(runtime: &Runtime, world: &'static World) {
    const TURNS: usize = 400;
    /// The first ones find the others' code and memory in the caches.
    const COLD: usize = 8;
    const CALLS: usize = 64;
    let caches = [
        ("larder", &world.shared),
        ("on a thread of its own", &world.own),
        ("unbatched", &world.unbatched),
    ];
    let timed = runtime.spawn(async move {
        let mut taken: Vec<Vec<Duration>> = vec![Vec::new(); caches.len() + 1];
        let (mut order, mut random): (Vec<usize>, _) = ((0..taken.len()).collect(), SmallRng::seed_from_u64(1));
        for turn in 0..TURNS {
            order.shuffle(&mut random);
            for &which in &order {
                for call in 0..CALLS {
                    let key = (turn * CALLS + call) % KEYS;
                    let began = Instant::now();
                    let took = match which.checked_sub(1) {
                        None => {
                            let key = world.physical[key].as_str();
                            let found: Option<Bytes> = world.raw.get(key).await.expect("it answers");
                            let took = began.elapsed();
                            assert!(found.is_some());
                            took
                        }
                        Some(place) => {
                            let (cache, key) = (caches[place].1, &world.keys[key]);
                            let found: Option<User> = cache.get(key).await.expect("the server answers");
                            let took = began.elapsed();
                            assert!(found.is_some());
                            took
                        }
                    };
                    if call >= COLD {
                        taken[which].push(took);
                    }
                }
            }
        }
        taken
    });
    let taken = runtime.block_on(timed).expect("no call fails");
    let names = ["fred"].into_iter().chain(caches.iter().map(|(name, _)| *name));
    let figures = names.zip(taken).map(|(name, mut taken)| {
        taken.sort();
        let sum: Duration = taken.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
        let calls = taken.len() as f64;
        (
            name,
            calls / sum.as_secs_f64(),
            taken[taken.len() / 2].as_secs_f64() * 1e6,
        )
    });
    let figures: Vec<_> = figures.collect();
    let (_, rate, middle) = figures[0];
    print!("get, 1 task, calls/s:");
    for (name, own, _) in &figures {
        print!("  {name} {own:.0} ({:.2}x)", own / rate);
    }
    print!("\nget, 1 task, p50 us:");
    for (name, _, own) in &figures {
        print!("  {name} {own:.1} ({:.2}x)", own / middle);
    }
    println!();
}
