use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

struct Users {
    cache: Memory,
    asked: u64,
}

impl Users {
    #[cached(cache = self.cache, key = "user:{user_id}", ttl = "1h")]
    async fn get_user(&mut self, user_id: u64) -> u64 {
        self.asked += 1;
        user_id
    }
}

fn main() {}
