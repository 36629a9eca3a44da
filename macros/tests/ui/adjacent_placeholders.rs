use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "{a}{b}", ttl = "1h")]
async fn get(cache: &Memory, a: u64, b: u64) -> u64 {
    a + b
}

fn main() {}
