use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

mod strict {
    #![forbid(unused_qualifications)]
    use super::{Memory, cached};

    #[cached(cache = cache, key = "{id}", ttl = "1h")]
    pub async fn user(cache: &Memory, id: u64) -> u64 {
        id
    }
}

fn main() {}
