use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h")]
async fn get_user(cache: &Memory, user_id: u64) -> Result<u64, Box<dyn std::error::Error>> {
    Ok(user_id)
}

fn main() {}
