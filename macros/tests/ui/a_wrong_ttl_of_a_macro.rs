use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

macro_rules! with_ttl {
    ($ttl:expr) => {
        #[cached(cache = cache, key = "{id}", ttl = $ttl)]
        async fn get_user(cache: &Memory, id: u64) -> u64 {
            id
        }
    };
}

with_ttl!("1hfoo");

fn main() {}
