use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{user_id}", ttl = "1h", background)]
async fn get_user(cache: Memory, user_id: u64) -> u64 {
    let shared = std::rc::Rc::new(user_id);
    std::future::ready(()).await;
    *shared
}

fn main() {}
