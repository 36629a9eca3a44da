//! An HTTP service over cached functions: `cargo run --example axum_service`.
//!
//! Run like that it serves itself, on the embedded backend: it asks its own address a few times, prints what it
//! answers, and ends. With `REDIS_URL=redis://localhost:6379/0` it serves that Redis's cache on port 3000 until it is
//! stopped. `cargo test --example axum_service` takes Redis away from it and gives it back.

use std::{
    env,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use larder::{Cache, CacheBackend, cached};
use larder_fred::ConnectionManager;
use larder_local::LocalBackend;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

#[derive(Debug, Clone, PartialEq)]
struct DbError;

/// What stands for a database: it knows the users below 100, and counts how often it is asked.
#[derive(Debug, Default)]
struct Database {
    queries: AtomicUsize,
}

impl Database {
    async fn user(&self, id: u64) -> Result<Option<User>, DbError> {
        self.queries.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let name = format!("user {id}");
        Ok((id < 100).then_some(User { id, name }))
    }
}

struct Service<B> {
    cache: Cache<B>,
    database: Database,
}

impl<B: CacheBackend + 'static> Service<B> {
    fn new(backend: B) -> larder::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            cache: Cache::builder(backend).prefix("axum-service").ttl_jitter(0.1).build()?,
            database: Database::default(),
        }))
    }

    /// Whoever asks for a user that is not cached asks the database; that there is none is known for a minute.
    #[cached(cache = self.cache, key = "user:{id}", ttl = "1h", negative_ttl = "1m")]
    async fn user(&self, id: u64) -> Result<Option<User>, DbError> {
        self.database.user(id).await
    }
}

fn router<B: CacheBackend + 'static>(service: Arc<Service<B>>) -> Router {
    Router::new()
        .route("/users/{id}", get(show::<B>).delete(forget::<B>))
        .with_state(service)
}

async fn show<B: CacheBackend + 'static>(
    State(service): State<Arc<Service<B>>>,
    Path(id): Path<u64>,
) -> Result<Json<User>, StatusCode> {
    match service.user(id).await {
        Ok(Some(user)) => Ok(Json(user)),
        Ok(None) => Err(StatusCode::NOT_FOUND),
        Err(DbError) => Err(StatusCode::BAD_GATEWAY),
    }
}

/// A user has changed somewhere: the next call asks the database again.
async fn forget<B: CacheBackend + 'static>(
    State(service): State<Arc<Service<B>>>,
    Path(id): Path<u64>,
) -> Result<StatusCode, StatusCode> {
    match service.user_invalidate(id).await {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if let Ok(url) = env::var("REDIS_URL") {
        let redis = ConnectionManager::connect(&url).await?;
        let listener = TcpListener::bind("127.0.0.1:3000").await?;
        println!("http://{}/users/1", listener.local_addr()?);
        axum::serve(listener, router(Service::new(redis.backend())?)).await?;
        return Ok(());
    }
    let service = Service::new(LocalBackend::with_capacity(10_000))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(axum::serve(listener, router(Arc::clone(&service))).into_future());
    let asked = tokio::task::spawn_blocking(move || {
        ["users/1", "users/1", "users/999", "users/999"].map(|path| ask("GET", &format!("http://{address}/{path}")))
    });
    for (status, body) in asked.await? {
        println!("{status} {body}");
    }
    assert_eq!(service.database.queries.load(Ordering::SeqCst), 2);
    println!("the database was asked twice; set REDIS_URL to serve a Redis");
    serving.abort();
    Ok(())
}

/// One request: its status and body.
fn ask(method: &str, url: &str) -> (u16, String) {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = ureq::Agent::new_with_config(config.build());
    let answer = match method {
        "DELETE" => agent.delete(url).call(),
        _ => agent.get(url).call(),
    };
    let mut answer = answer.expect("the service answers");
    let body = answer.body_mut().read_to_string().expect("the answer is text");
    (answer.status().as_u16(), body)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// A service on a Redis of the test's own, and a way to ask it over HTTP.
    struct Served {
        redis: testkit::RedisServer,
        service: Arc<Service<larder_fred::FredBackend>>,
        address: std::net::SocketAddr,
        _runtime: tokio::runtime::Runtime,
    }

    impl Served {
        fn start() -> Self {
            let redis = testkit::RedisServer::start();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let manager = ConnectionManager::connect_strict_blocking(&redis.url()).unwrap();
            let service = Service::new(manager.backend()).unwrap();
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
            let address = listener.local_addr().unwrap();
            runtime.spawn(axum::serve(listener, router(Arc::clone(&service))).into_future());
            Self {
                redis,
                service,
                address,
                _runtime: runtime,
            }
        }

        fn ask(&self, method: &str, id: u64) -> (u16, String) {
            ask(method, &format!("http://{}/users/{id}", self.address))
        }

        fn queries(&self) -> usize {
            self.service.database.queries.load(Ordering::SeqCst)
        }
    }

    const ADA: &str = r#"{"id":1,"name":"user 1"}"#;

    #[test]
    fn the_service_answers_cold_hit_invalidated_without_redis_and_with_redis_back() {
        let mut served = Served::start();
        let ada = (200, ADA.to_owned());
        assert_eq!(served.ask("GET", 1), ada, "cold");
        assert_eq!(served.queries(), 1);
        assert_eq!(served.ask("GET", 1), ada, "a hit");
        assert_eq!(served.queries(), 1);

        assert_eq!(served.ask("GET", 999).0, 404, "cold, and there is no such user");
        assert_eq!(served.ask("GET", 999).0, 404, "a hit: it is known that there is none");
        assert_eq!(served.queries(), 2);

        assert_eq!(served.ask("DELETE", 1).0, 204, "invalidated");
        assert_eq!(served.ask("GET", 1), ada);
        assert_eq!(served.queries(), 3);

        served.redis.stop();
        for queries in 4..=6 {
            let began = Instant::now();
            assert_eq!(served.ask("GET", 1), ada, "Redis is gone");
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            assert_eq!(served.queries(), queries);
        }
        assert_eq!(
            served.ask("DELETE", 1).0,
            503,
            "what could not be invalidated is not said to be"
        );

        served.redis.restart();
        let back = Instant::now();
        while served.ask("DELETE", 1).0 != 204 {
            assert!(
                back.elapsed() < Duration::from_secs(10),
                "the service does not find Redis again"
            );
        }
        let before = served.queries();
        assert_eq!(served.ask("GET", 1), ada, "Redis is back and empty");
        assert_eq!(served.ask("GET", 1), ada, "a hit");
        assert_eq!(served.queries(), before + 1);
    }
}
