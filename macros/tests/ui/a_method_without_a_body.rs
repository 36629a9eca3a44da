use larder::cached;

#[cached]
trait Find {
    #[cached(cache = self.cache(), key = "user:{id}", ttl = "1h")]
    fn find(&self, id: u64) -> u64;
}

fn main() {}
