use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "size", ttl = "1h")]
async fn size<const N: usize>(cache: &Memory) -> usize {
    N
}

fn main() {}
