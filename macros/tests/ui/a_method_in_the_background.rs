use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

struct Users {
    cache: Memory,
}

impl Users {
    #[cached(cache = self.cache, key = "user:{user_id}", ttl = "1h", refresh_ahead = 0.8, background)]
    async fn get_user(&self, user_id: u64) -> u64 {
        user_id
    }
}

fn main() {}
