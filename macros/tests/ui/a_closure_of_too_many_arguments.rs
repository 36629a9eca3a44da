use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = |a, b, c| format!("{a}{b}{c}"), ttl = "1h")]
async fn get_user(cache: &Memory, user_id: u64) -> u64 {
    user_id
}

fn main() {}
