use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = |id| format!("{}:{id}", region.len()), ttl = "1h", skip(region))]
async fn user(cache: &Memory, id: u64, region: &str) -> u64 {
    id
}

fn main() {}
