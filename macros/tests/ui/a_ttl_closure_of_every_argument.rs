use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "{name}", ttl = |_cache, name| if name.is_empty() { 5 } else { 3600 })]
async fn get_user(cache: &Memory, name: &str) -> String {
    name.into()
}

fn main() {}
