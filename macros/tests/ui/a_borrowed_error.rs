use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{name}", ttl = "1h")]
async fn get_user<'a>(cache: &Memory, name: &'a str) -> Result<u64, &'a str> {
    Err(name)
}

fn main() {}
