use larder::{Cache, cached};
use larder_memory::MemoryBackend;

trait Find {
    fn find(&self, id: u64) -> u64;
}

struct Users {
    cache: Cache<MemoryBackend>,
}

impl Find for Users {
    #[cached(cache = self.cache, key = "user:{id}", ttl = "1h")]
    fn find(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
