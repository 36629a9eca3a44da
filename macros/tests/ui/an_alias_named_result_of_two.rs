use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

type Result<T, E> = std::result::Result<Option<T>, E>;

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h")]
async fn get_user(cache: &Memory, user_id: u64) -> Result<u64, String> {
    Ok(Some(user_id))
}

fn main() {}
