use std::borrow::Cow;

use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "user:{name}", ttl = "1h", soft_timeout = "50ms")]
async fn get_user(cache: Memory, name: Cow<'_, str>) -> usize {
    name.len()
}

fn main() {}
