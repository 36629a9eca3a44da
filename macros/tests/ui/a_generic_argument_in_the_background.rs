use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h", background)]
async fn get_user<T: std::fmt::Display + Send>(cache: Memory, user_id: T) -> String {
    user_id.to_string()
}

fn main() {}
