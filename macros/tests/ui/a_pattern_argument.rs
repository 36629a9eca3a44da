use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{a}", ttl = "1h")]
async fn get_user(cache: &Memory, (a, b): (u64, u64)) -> u64 {
    a + b
}

fn main() {}
