use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h")]
async fn get_user(cache: &Memory, user_id: u64) -> std::thread::ThreadId {
    std::thread::current().id()
}

fn main() {}
