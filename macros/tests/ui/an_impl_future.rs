use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h")]
fn get_user(cache: &Memory, user_id: u64) -> impl Future<Output = u64> {
    std::future::ready(user_id)
}

fn main() {}
