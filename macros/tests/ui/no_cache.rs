use larder::cached;

#[cached(key = "user:{user_id}", ttl = "1h")]
async fn get_user(user_id: u64) -> u64 {
    user_id
}

fn main() {}
