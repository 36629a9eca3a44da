use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{name}", ttl = "1h")]
async fn get_user(cache: &Memory, name: &str) -> Result<Vec<&'static str>, String> {
    Ok(Vec::new())
}

fn main() {}
