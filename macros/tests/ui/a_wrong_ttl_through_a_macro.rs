use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

macro_rules! lookup {
    ($name:ident, $ttl:expr) => {
        #[cached(cache = cache, key = "user:{user_id}", ttl = $ttl)]
        async fn $name(cache: &Memory, user_id: u64) -> u64 {
            user_id
        }
    };
}

lookup!(get_user, "1hfoo");

fn main() {}
