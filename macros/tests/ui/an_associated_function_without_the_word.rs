use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

struct Users;

impl Users {
    #[cached(cache = cache, key = "user:{user_id}", ttl = "1h")]
    async fn get_user(cache: &Memory, user_id: u64) -> u64 {
        user_id
    }
}

fn main() {}
