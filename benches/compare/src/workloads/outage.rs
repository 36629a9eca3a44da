//! What a call costs while the server is away: a `remember` whose load takes no time.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use testkit::RedisServer;
use tokio::time::timeout;

use crate::{
    contenders::{
        LarderFred, LarderRedisRs, cached::Cached, external::Program, hitbox::Hitbox, larder::Larder,
        multi_tier::MultiTier,
    },
    measure::{Figure, Row},
    race::{Results, guarded},
    serve::call,
};

/// How long all calls of one contender may take together; a call that is not done by then costs "more than" it waited.
const LIMIT: Duration = Duration::from_secs(20);
/// Calls after the first one.
const LATER: usize = 20;

/// The first call after the server was killed, and those after it.
pub(crate) async fn race(rounds: usize) -> Results {
    let mut results = Results::default();
    macro_rules! contest {
        ($name:literal, $connect:expr) => {
            contest!($name, $connect, async |contender| call(contender).await)
        };
        ($name:literal, $connect:expr, $call:expr) => {
            let rows = guarded(3 * LIMIT, contest($name, rounds, $connect, $call)).await;
            results.take("outage/first call", 1, $name, rows);
        };
    }
    contest!("larder", async |url: &str| LarderFred::connect_for_outages(url).await);
    contest!("larder with Breaker", async |url: &str| Larder::connect_with_breaker(
        url
    )
    .await);
    contest!("larder-redis-rs", async |url: &str| LarderRedisRs::connect_for_outages(
        url
    )
    .await);
    contest!("cached", async |url: &str| Cached::connect(url).await);
    contest!("hitbox", async |url: &str| Hitbox::connect(url));
    contest!("multi-tier-cache", async |url: &str| MultiTier::connect(url).await);
    let oxcache = Program::build("oxcache");
    let start = async |url: &str| {
        let program = oxcache.as_ref().unwrap_or_else(|reason| panic!("{reason}"));
        program.start(url).unwrap_or_else(|reason| panic!("{reason}"))
    };
    // A process that has ended answers nothing, which is no figure.
    contest!("oxcache", start, async |external| external
        .ask_or_end("call".into())
        .await
        .unwrap_or_default());
    results
}

async fn contest<C, F, G>(name: &str, rounds: usize, connect: F, call: G) -> Vec<Row>
where
    F: AsyncFn(&str) -> C,
    G: AsyncFn(&C) -> Vec<Figure>,
{
    let (mut first, mut later, mut failed) = (Waits::default(), Waits::default(), Vec::new());
    let began = Instant::now();
    while first.values.len() < rounds && (first.values.is_empty() || began.elapsed() < LIMIT) {
        let mut server = RedisServer::start();
        let contender = connect(&server.url()).await;
        // It is connected, and not only about to be.
        let warm = call(&contender).await;
        assert!(
            warm.get(1).is_some_and(|errors| errors.value == 0.0),
            "{name} answers while the server is there"
        );
        server.stop();
        let outage = Instant::now();
        for n in 0..=LATER {
            let left = LIMIT.saturating_sub(began.elapsed());
            let answered = bounded(left, call(&contender)).await;
            let waits = if n == 0 { &mut first } else { &mut later };
            failed.push(answered.map_or(1.0, |(_, errors)| errors));
            let Some((took, _)) = answered else {
                waits.values.push(left.as_secs_f64() * 1e3);
                waits.unfinished = true;
                break;
            };
            waits.values.push(took);
        }
        if outage.elapsed() > LIMIT {
            break;
        }
    }
    let errors = 100.0 * failed.iter().sum::<f64>() / failed.len() as f64;
    let mut rows = vec![waited("outage/first call", name, first)];
    if !later.values.is_empty() {
        rows.push(waited("outage/later calls", name, later));
    }
    rows.push(Row::of(
        "outage/calls without a value",
        1,
        name,
        "% of calls",
        vec![errors],
    ));
    rows
}

/// Milliseconds of calls, and whether one of them was given up.
#[derive(Default)]
struct Waits {
    values: Vec<f64>,
    unfinished: bool,
}

/// Milliseconds and errors; nothing where the call was not done in time.
async fn bounded(left: Duration, call: impl Future<Output = Vec<Figure>>) -> Option<(f64, f64)> {
    match timeout(left, call).await.as_deref() {
        Ok([took, errors]) => Some((took.value, errors.value)),
        _ => None,
    }
}

/// A row whose median is a lower bound where a call was given up.
fn waited(workload: &str, name: &str, waits: Waits) -> Row {
    let mut row = Row::of(workload, 1, name, "ms", waits.values);
    if waits.unfinished {
        row.high = None;
    }
    row
}
