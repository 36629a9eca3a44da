use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

type Result<T> = std::result::Result<Option<T>, String>;

#[cached(cache = cache, key = "{id}", ttl = "1h")]
async fn user(cache: &Memory, id: u64) -> Result<u64> {
    Ok(Some(id))
}

fn main() {}
