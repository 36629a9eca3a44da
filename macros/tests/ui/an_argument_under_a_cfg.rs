use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "{id}", ttl = "1h")]
async fn user(cache: &Memory, id: u64, #[cfg(any())] tenant: u64) -> u64 {
    id
}

fn main() {}
