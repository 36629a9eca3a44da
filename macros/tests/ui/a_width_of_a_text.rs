use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "{name:8}:{id:04}", ttl = "1h")]
async fn get_user(cache: &Memory, name: &str, id: u64) -> u64 {
    id + name.len() as u64
}

fn main() {}
