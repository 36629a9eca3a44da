use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h")]
async fn get_user<T: From<u64>>(cache: &Memory, user_id: u64) -> T {
    user_id.into()
}

fn main() {}
