use larder::{Cache, cached};
use larder_memory::MemoryBackend;

type Memory = Cache<MemoryBackend>;

static CACHE: std::sync::LazyLock<Memory> = std::sync::LazyLock::new(|| Cache::new(MemoryBackend::new()));

struct Users {
    tenant: String,
}

impl Users {
    #[cached(cache = CACHE, key = "user:{user_id}", ttl = "1h")]
    async fn get_user(&self, user_id: u64) -> String {
        format!("{}{user_id}", self.tenant)
    }
}

fn main() {}
