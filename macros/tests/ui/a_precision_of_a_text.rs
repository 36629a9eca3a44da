use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "{name:.3}", ttl = "1h")]
async fn get_user(cache: &Memory, name: String) -> String {
    name
}

fn main() {}
