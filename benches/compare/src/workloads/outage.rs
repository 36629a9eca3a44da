//! What a call costs while the server is away: a `remember` whose load takes no time.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use testkit::RedisServer;
use tokio::time::timeout;

use crate::{
    contenders::{cached::Cached, external::External, hitbox::Hitbox, larder::Larder, multi_tier::MultiTier},
    measure::{Figure, Row},
    serve::call,
};

/// How long all calls of one contender may take together; a call that is not done by then costs "more than" it waited.
const LIMIT: Duration = Duration::from_secs(20);
/// Calls after the first one.
const LATER: usize = 20;

/// The first call after the server was killed, and those after it.
pub(crate) async fn race(rounds: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(
        contest(
            "larder",
            rounds,
            async |url: String| Larder::connect_for_outages(&url).await,
            async |c| call(c).await,
        )
        .await,
    );
    let with_breaker = async |url: String| Larder::connect_with_breaker(&url).await;
    rows.extend(contest("larder with Breaker", rounds, with_breaker, async |c| call(c).await).await);
    rows.extend(
        contest(
            "cached",
            rounds,
            async |url: String| Cached::connect(&url).await,
            async |c| call(c).await,
        )
        .await,
    );
    rows.extend(
        contest(
            "hitbox",
            rounds,
            async |url: String| Hitbox::connect(&url),
            async |c| call(c).await,
        )
        .await,
    );
    let multi_tier = async |url: String| MultiTier::connect(&url).await;
    rows.extend(contest("multi-tier-cache", rounds, multi_tier, async |c| call(c).await).await);
    let server = RedisServer::start();
    if External::start("oxcache", &server.url()).is_ok() {
        let connect = async |url: String| Arc::new(External::start("oxcache", &url).expect("it started before"));
        let ask = async |external: &Arc<External>| {
            // A process that has ended answers nothing, which is no figure.
            external.ask_or_end("call").await.unwrap_or_default()
        };
        rows.extend(contest("oxcache", rounds, connect, ask).await);
    }
    rows
}

async fn contest<C, F, G>(name: &str, rounds: usize, connect: F, call: G) -> Vec<Row>
where
    F: AsyncFn(String) -> C,
    G: AsyncFn(&C) -> Vec<Figure>,
{
    let (mut first, mut later, mut failed) = (Waits::default(), Waits::default(), Vec::new());
    let began = Instant::now();
    while first.values.len() < rounds && (first.values.is_empty() || began.elapsed() < LIMIT) {
        let mut server = RedisServer::start();
        let contender = connect(server.url()).await;
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
