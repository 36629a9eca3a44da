use larder::cached;

struct Users;

#[cached]
impl Users {
    fn find(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
