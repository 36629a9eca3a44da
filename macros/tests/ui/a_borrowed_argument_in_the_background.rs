use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{name}", ttl = "1h", stale_while_revalidate = "10m")]
async fn get_user(cache: Memory, name: &str) -> usize {
    name.len()
}

fn main() {}
