use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

struct Users {
    cache: Memory,
}

impl Users {
    #[cached(cache = self.cache, key = "all", ttl = "1h")]
    async fn all<'a>(&'a self) -> String {
        String::new()
    }
}

fn main() {}
