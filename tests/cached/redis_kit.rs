//! What the decorator of `redis_kit` does, example by example. docs/from-redis-kit.md has the Python beside it.

use larder::{ErrorKind, Lookup, cached};

use crate::support::{Memory, Runs, block_on, hour, memory, seconds_left};

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct User {
    id: u64,
    name: String,
}

impl User {
    fn of(id: u64) -> Self {
        Self {
            id,
            name: format!("user {id}"),
        }
    }
}

#[cached(cache = cache, key = "user:{user_id}", ttl = 3600, skip(runs))]
fn get_user_sync(cache: &Memory, user_id: u64, runs: &Runs) -> User {
    runs.run();
    User::of(user_id)
}

#[test]
fn redis_kit_basic() {
    let (cache, runs) = (memory(), Runs::default());
    assert_eq!(get_user_sync(&cache, 1, &runs), User::of(1));
    assert_eq!(get_user_sync(&cache, 1, &runs), User::of(1));
    assert_eq!(runs.count(), 1);
    assert_eq!(get_user_sync(&cache, 2, &runs), User::of(2));
    assert_eq!(runs.count(), 2);
    assert_eq!(seconds_left(&cache, "user:1"), hour().as_secs());
}

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h", skip(runs))]
async fn get_user(cache: &Memory, user_id: u64, runs: &Runs) -> Result<User, String> {
    runs.run();
    Ok(User::of(user_id))
}

#[test]
fn redis_kit_async() {
    let (cache, runs) = (memory(), Runs::default());
    block_on(async {
        assert_eq!(get_user(&cache, 1, &runs).await, Ok(User::of(1)));
        assert_eq!(get_user(&cache, 1, &runs).await, Ok(User::of(1)));
    });
    assert_eq!(runs.count(), 1);
}

#[cached(cache = cache, key = "execute", ttl = 60, on_error = "execute")]
async fn execute(cache: &Memory) -> Option<u8> {
    Some(1)
}

#[cached(cache = cache, key = "raise", ttl = 60, on_error = "raise")]
async fn raise(cache: &Memory) -> larder::Result<u8> {
    Ok(1)
}

#[cached(cache = cache, key = "none", ttl = 60, on_error = "return_none")]
async fn return_none(cache: &Memory) -> Option<u8> {
    Some(1)
}

#[test]
fn redis_kit_on_error() {
    let cache = memory();
    cache.backend().faults().fail_all(ErrorKind::Connection);
    block_on(async {
        assert_eq!(execute(&cache).await, Some(1));
        assert_eq!(raise(&cache).await.unwrap_err().kind(), ErrorKind::Connection);
        assert_eq!(return_none(&cache).await, None);
    });
}

#[cached(cache = cache, key = |user_id, lang| format!("profile:{lang}:{user_id}"), ttl = 60)]
async fn callable_key(cache: &Memory, user_id: u64, lang: &str) -> String {
    format!("{lang} {user_id}")
}

#[cached(cache = cache, key = "{user_id}", ttl = |uid| if uid < 100 { 3600 } else { 300 })]
async fn callable_ttl(cache: &Memory, user_id: u64) -> u64 {
    user_id
}

#[cached(cache = cache, key = "{user_id}", ttl = 60, bypass = |user_id| user_id == 0, skip(runs))]
async fn callable_bypass(cache: &Memory, user_id: u64, runs: &Runs) -> usize {
    runs.run()
}

#[test]
fn redis_kit_callable_key_ttl_and_bypass() {
    let (cache, runs) = (memory(), Runs::default());
    block_on(async {
        callable_key(&cache, 7, "en").await;
        assert_eq!(
            cache.get::<String>("profile:en:7").await.unwrap().as_deref(),
            Some("en 7")
        );
        callable_ttl(&cache, 99).await;
        callable_ttl(&cache, 100).await;
        assert_eq!(callable_bypass(&cache, 0, &runs).await, 1);
        assert_eq!(callable_bypass(&cache, 0, &runs).await, 2);
        assert_eq!(callable_bypass(&cache, 5, &runs).await, 3);
        assert_eq!(callable_bypass(&cache, 5, &runs).await, 3);
    });
    assert_eq!([seconds_left(&cache, "99"), seconds_left(&cache, "100")], [3_600, 300]);
}

#[test]
fn redis_kit_invalidate_sync_and_async() {
    let (cache, runs) = (memory(), Runs::default());
    get_user_sync(&cache, 1, &runs);
    assert!(get_user_sync::invalidate(&cache, 1).unwrap());
    get_user_sync(&cache, 1, &runs);
    assert_eq!(runs.count(), 2);
    block_on(async {
        assert!(get_user::invalidate(&cache, 1).await.unwrap());
        get_user(&cache, 1, &runs).await.unwrap();
        assert_eq!(runs.count(), 3);
    });
}

#[cached(cache = cache, key = "find:{user_id}", ttl = "1h", negative_ttl = "1m", skip(runs))]
async fn find_user(cache: &Memory, user_id: u64, runs: &Runs) -> Result<Option<User>, String> {
    runs.run();
    Ok((user_id < 100).then(|| User::of(user_id)))
}

#[test]
fn redis_kit_none_is_cached() {
    let (cache, runs) = (memory(), Runs::default());
    block_on(async {
        assert_eq!(find_user(&cache, 999, &runs).await, Ok(None));
        assert_eq!(find_user(&cache, 999, &runs).await, Ok(None));
        assert_eq!(runs.count(), 1);
        assert_eq!(cache.lookup::<User>("find:999").await.unwrap(), Lookup::Absent);
    });
    assert_eq!(seconds_left(&cache, "find:999"), 60);
}
