use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

struct State {
    user: Memory,
}

#[cached(cache = state.user, key = "profile", ttl = "1h")]
async fn profile(state: &State, user: u64) -> u64 {
    user
}

fn main() {}
