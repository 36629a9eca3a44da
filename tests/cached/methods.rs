//! Methods and associated functions.

use larder::{Cache, CacheBackend, cached};
use larder_memory::MemoryBackend;

use crate::support::{Memory, Runs, block_on, memory};

struct Users {
    cache: Memory,
    tenant: String,
    runs: Runs,
}

impl Users {
    /// Finds a user.
    #[cached(cache = self.cache, key = "{self.tenant}:user:{id}", ttl = |id| if id == 0 { self.short() } else { 3600 })]
    async fn user(&self, id: u64) -> Result<String, String> {
        self.runs.run();
        Ok(format!("{} {id}", self.tenant))
    }

    fn short(&self) -> usize {
        self.tenant.len() * 15
    }

    #[cached(cache = &self.cache, key = "count", ttl = "1h")]
    fn count(&self) -> usize {
        self.runs.run()
    }

    #[cached(cache = cache, key = "of:{id}", ttl = "1h", associated)]
    async fn of(cache: &Memory, id: u64) -> u64 {
        id * 2
    }

    // `Self` tells that it is associated.
    #[cached(cache = users.cache, key = "through", ttl = "1h")]
    async fn through(users: &Self) -> usize {
        users.runs.run()
    }
}

fn users(tenant: &str) -> Users {
    Users {
        cache: memory(),
        tenant: tenant.into(),
        runs: Runs::default(),
    }
}

#[test]
fn a_method_has_its_calls_beside_it() {
    let users = users("acme");
    block_on(async {
        assert_eq!(users.user(1).await.unwrap(), "acme 1");
        assert_eq!(users.user(1).await.unwrap(), "acme 1");
        assert_eq!(users.runs.count(), 1);
        assert_eq!(users.user_key(1), "acme:user:1");
        assert_eq!(users.user_peek(1).await.unwrap().as_deref(), Some("acme 1"));
        assert!(users.user_invalidate(1).await.unwrap());
        assert_eq!(users.user_peek(1).await.unwrap(), None);
        assert_eq!(users.user_refresh(1).await.unwrap(), "acme 1");
        assert_eq!(users.runs.count(), 2);
    });
    assert_eq!(crate::support::seconds_left(&users.cache, "acme:user:1"), 3_600);
    block_on(users.user(0)).unwrap();
    assert_eq!(crate::support::seconds_left(&users.cache, "acme:user:0"), 60);
}

#[test]
fn a_sync_method_and_associated_functions_are_cached_too() {
    let users = users("acme");
    assert_eq!((users.count(), users.count(), users.count_refresh()), (1, 1, 2));
    assert!(users.count_invalidate().unwrap());
    assert_eq!(block_on(Users::of(&users.cache, 4)), 8);
    assert_eq!(block_on(Users::of_peek(&users.cache, 4)).unwrap(), Some(8));
    assert_eq!(block_on(Users::through(&users)), 3);
    assert_eq!(block_on(Users::through(&users)), 3);
}

struct Generic<B> {
    cache: Cache<B>,
}

impl<B: CacheBackend + 'static> Generic<B> {
    #[cached(cache = self.cache, key = "{id}", ttl = "1h")]
    async fn double(&self, id: u64) -> Result<u64, String> {
        Ok(id * 2)
    }
}

#[test]
fn a_method_of_a_generic_type_is_cached() {
    let doubles: Generic<MemoryBackend> = Generic { cache: memory() };
    assert_eq!(block_on(doubles.double(4)), Ok(8));
    assert_eq!(block_on(doubles.double_peek(4)).unwrap(), Some(8));
}

trait Lookup {
    async fn lookup(&self, id: u64) -> Result<String, String>;
}

// A trait's method can not be cached itself: what stands beside it would not be the trait's.
impl Lookup for Users {
    async fn lookup(&self, id: u64) -> Result<String, String> {
        self.user(id).await
    }
}

#[test]
fn a_traits_method_calls_a_cached_one() {
    let users = users("acme");
    assert_eq!(block_on(users.lookup(1)).unwrap(), "acme 1");
    assert_eq!(block_on(users.lookup(1)).unwrap(), "acme 1");
    assert_eq!(users.runs.count(), 1);
}

static SHARED: std::sync::LazyLock<Memory> = std::sync::LazyLock::new(memory);

impl Users {
    #[cached(cache = SHARED, key = "motto", ttl = "1h", skip(self))]
    async fn motto(&self) -> usize {
        self.runs.run()
    }
}

#[test]
fn self_may_be_skipped_where_it_makes_no_difference() {
    let (one, other) = (users("one"), users("other"));
    assert_eq!(block_on(one.motto()), 1);
    assert_eq!(block_on(other.motto()), 1);
    assert_eq!(other.runs.count(), 0);
}
