#![forbid(dead_code, non_camel_case_types, unused)]
#![forbid(unused_qualifications)]

use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

#[cached(cache = cache, key = "{id}:{name}", ttl = |_, name| 60 * name.len() as u64)]
pub async fn user(cache: &Memory, id: u64, name: String) -> Result<u64, String> {
    Ok(id)
}

pub struct Users {
    pub cache: Memory,
}

impl Users {
    #[cached(cache = self.cache, key = "{id}", ttl = "1h", skip(this))]
    async fn user(&self, id: u64, this: impl Send + Sync) -> u64 {
        let _ = this;
        id
    }
}

fn main() {
    let users = Users { cache: Cache::new(MemoryBackend::new()) };
    drop(users.user(1, ()));
    drop(user(&users.cache, 1, String::new()));
}
