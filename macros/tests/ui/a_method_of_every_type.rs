use larder::{Cache, cached};
use larder_memory::MemoryBackend;

trait Owner {
    fn cache(&self) -> &Cache<MemoryBackend>;
}

trait Find {
    fn find(&self, id: u64) -> u64;
}

#[cached]
impl<O: Owner> Find for O {
    #[cached(cache = self.cache(), key = "user:{id}", ttl = "1h")]
    fn find(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
