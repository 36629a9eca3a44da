use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

trait KeyOf {
    fn key(id: u64) -> String;
}

struct Users;

impl KeyOf for Users {
    fn key(id: u64) -> String {
        id.to_string()
    }
}

#[cached(cache = cache, key = <Users as KeyOf>::key, ttl = "1h")]
async fn user(cache: &Memory, id: u64) -> u64 {
    id
}

fn main() {}
