use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "x", ttl = "1h", skip(database))]
async fn get_user(cache: &Memory) -> u64 {
    1
}

fn main() {}
