use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = |x, y| format!("{y}"), ttl = "1h")]
async fn sum(cache: &Memory, x: u8, y: u8) -> u8 {
    x + y
}

fn main() {}
