use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

macro_rules! lookup {
    ($name:ident, $key:literal, $ttl:literal, $returned:ty) => {
        #[cached(cache = cache, key = $key, ttl = $ttl)]
        async fn $name(cache: &Memory, id: u64) -> $returned {
            Ok(id)
        }
    };
}

lookup!(user, "user:{id}", "1h", Result<u64, String>);
lookup!(order, "order:{id}", "1h", Result<u64, String>);

async fn peeks(cache: &Memory) -> Option<u64> {
    user::peek(cache, 1).await.unwrap()
}

fn main() {}
