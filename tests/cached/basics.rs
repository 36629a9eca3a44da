use futures::executor::block_on;
use larder::{Cache, cached};
use larder_memory::MemoryBackend;
use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};

static CACHE: LazyLock<Cache<MemoryBackend>> = LazyLock::new(|| Cache::new(MemoryBackend::new()));
static LOADS: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug, Clone, PartialEq)]
struct DbError;

/// Doc.
#[cached(cache = CACHE, key = "user:{user_id}", ttl = "1h", on_error = "execute")]
async fn get_user(user_id: u64) -> Result<String, DbError> {
    LOADS.fetch_add(1, Ordering::SeqCst);
    if user_id == 0 {
        return Err(DbError);
    }
    Ok(format!("user {user_id}"))
}

#[cached(cache = CACHE, key = "sync:{name}", ttl = |n| n.len() as u64 + 1)]
fn length(name: &str) -> usize {
    name.len()
}

#[test]
fn works() {
    block_on(async {
        assert_eq!(get_user(1).await, Ok("user 1".into()));
        assert_eq!(get_user(1).await, Ok("user 1".into()));
        assert_eq!(LOADS.load(Ordering::SeqCst), 1);
        assert_eq!(get_user::peek(1).await.unwrap(), Some("user 1".into()));
        assert!(get_user::invalidate(1).await.unwrap());
        assert_eq!(get_user::refresh(1).await, Ok("user 1".into()));
        assert_eq!(get_user(0).await, Err(DbError));
        assert_eq!(get_user::key(7), "user:7");
    });
    assert_eq!(length("abc"), 3);
    assert_eq!(length::peek("abc").unwrap(), Some(3));
}
