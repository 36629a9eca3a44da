use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h", negative_ttl = "-5s")]
async fn get_user(cache: &Memory, user_id: u64) -> Option<u64> {
    Some(user_id)
}

fn main() {}
