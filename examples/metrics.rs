//! A service whose cache is scraped by Prometheus: `cargo run --example metrics -- serve`, then
//! `curl localhost:9100/metrics`. Without `serve` it ends at once.
//!
//! It lives through an outage, so that everything there is to see is seen once.

use std::{error::Error, net::SocketAddr, time::Duration};

use larder::{
    Breaker, Cache, CacheBackend, ErrorKind, Expiry, Fallback, FallbackPolicy, LoadOptions, Loaded, MetricsHook,
    SetOptions,
};
use larder_local::LocalBackend;
use larder_memory::MemoryBackend;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

/// Serves `/metrics` at `address` for as long as the runtime runs, and does what a service does with a cache.
pub(crate) async fn serve(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(
            Matcher::Suffix("_seconds".into()),
            &[0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0],
        )?
        .with_http_listener(address)
        .install()?;
    // After the exporter is there, or what is described here is lost.
    let hook = MetricsHook::with_backend_calls();

    let store = MemoryBackend::new();
    let breaker = Breaker::builder(store.clone())
        .failures(1)
        .open_for(Duration::from_millis(1))
        .max_open(Duration::from_millis(1))
        .name("users")
        .hook(hook)
        .build()?;
    let backend = Fallback::builder(breaker, LocalBackend::builder().capacity(1_000).build())
        .journal_capacity(2)
        .without_background()
        .name("users")
        .hook(hook)
        .build()?;
    let options = LoadOptions::new().stale_while_revalidate("10m").lease("50ms");
    let users = Cache::builder(backend)
        .prefix("users")
        .load_options(options)
        .hook(hook)
        .build()?;

    users.set("1", "Alice", "1h").await?;
    users.get::<String>("1").await?;
    users.get_many::<String>(["1", "2", "3"]).await?;
    let load = async || Ok::<_, String>("Bob".to_owned());
    users.remember("2", "1h", load).await?;
    let fails = async || Err::<String, _>("the database is away".to_owned());
    assert!(users.remember("3", "1h", fails).await.is_err());

    // Stale for a while, and reloaded behind the caller.
    let price = || async { Ok::<_, String>(Loaded::value(10_u32)) };
    let defaults = LoadOptions::new();
    users.remember_detached("price", "1ms", &defaults, price).await?;
    tokio::time::sleep(Duration::from_millis(5)).await;
    users.remember_detached("price", "1ms", &defaults, price).await?;
    users.close().await;

    // What another program wrote is a miss.
    let forever = SetOptions::new(Expiry::Never);
    store.set("users:odd", "not larder's".into(), forever).await?;
    users.get::<String>("odd").await?;

    // Another process begins a load and hangs.
    let other = Cache::builder(store.clone()).prefix("users").build()?;
    let never = || std::future::pending::<Result<Loaded<u32>, String>>();
    let lease = LoadOptions::new().lease("50ms");
    let mut hangs = Box::pin(other.remember_with("4", "1h", &lease, never));
    assert!(futures::poll!(&mut hangs).is_pending());
    users.remember("4", "1h", async || Ok::<_, String>(4_u32)).await?;

    // The store goes away and comes back.
    store.faults().fail_all(ErrorKind::Connection);
    for key in ["1", "2", "3"] {
        users.set(key, "Carol", "1h").await?;
    }
    users.get::<String>("1").await?;
    let bare = Cache::builder(store.clone()).name("sessions").hook(hook);
    let sessions = bare.fallback(FallbackPolicy::ReturnNone).build()?;
    sessions.get::<String>("1").await?;
    store.faults().recover();
    tokio::time::sleep(Duration::from_millis(5)).await;
    users.backend().replay().await?;
    users.get::<String>("1").await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let is_served = std::env::args().nth(1).is_some_and(|argument| argument == "serve");
    let address = if is_served { "127.0.0.1:9100" } else { "127.0.0.1:0" };
    serve(address.parse()?).await?;
    if is_served {
        std::future::pending::<()>().await;
    }
    Ok(())
}
