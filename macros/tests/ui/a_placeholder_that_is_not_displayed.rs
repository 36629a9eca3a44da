use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user}", ttl = "1h")]
async fn get_user(cache: &Memory, user: Vec<u8>) -> usize {
    user.len()
}

fn main() {}
