use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

use std::sync::Arc;

#[cached(cache = cache, key = "{id}", ttl = |_, found: &u64| if *limit.as_ref() > *found { 60 } else { 5 }, skip(limit))]
async fn user(cache: &Memory, id: u64, limit: Arc<u64>) -> u64 {
    id + *limit
}

fn main() {}
