use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

struct Users {
    cache: Memory,
    tenant: u64,
}

macro_rules! lookup {
    ($name:ident, $key:literal, $ttl:expr, $id:ty) => {
        #[cached(cache = self.cache, key = $key, ttl = $ttl)]
        pub async fn $name(&self, id: $id) -> Option<$id> {
            Some(id)
        }
    };
}

impl Users {
    lookup!(user, "{self.tenant}:user:{id}", "1h", u64);
}

fn main() {
    let _ = |users: &Users| users.user_key(users.tenant);
}
