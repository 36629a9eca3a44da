use larder::cached;

#[cached(cache = CACHE, key = "user", ttl = "1h")]
struct User;

fn main() {}
