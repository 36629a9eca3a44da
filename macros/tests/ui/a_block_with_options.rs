use larder::{Cache, cached};
use larder_memory::MemoryBackend;

struct Users {
    cache: Cache<MemoryBackend>,
}

#[cached(cache = self.cache)]
impl Users {
    #[cached(key = "user:{id}", ttl = "1h")]
    fn find(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
