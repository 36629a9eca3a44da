use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = |id| -> String { id.to_string().chars().rev().collect() }, ttl = |_| -> u64 { "60".parse().unwrap() })]
async fn user(cache: &Memory, id: u64) -> u64 {
    id
}

fn main() {}
