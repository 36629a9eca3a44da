use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user_id.abs()}", ttl = "1h")]
async fn get_user(cache: &Memory, user_id: i64) -> i64 {
    user_id
}

fn main() {}
