//! The attribute above a block, and on methods of traits.

use larder::{Cache, cached};
use larder_memory::MemoryBackend;
use serde::{Serialize, de::DeserializeOwned};

use crate::support::{Memory, Runs, block_on, memory};

mod shop {
    use crate::support::Memory;

    pub(crate) trait Find {
        type Item;
        type Error;

        fn find(&self, id: u64) -> Option<Self::Item>;
        async fn load(&self, id: u64) -> Result<Self::Item, Self::Error>;
        fn count(cache: &Memory, by: u64) -> u64;
        fn name(&self) -> &'static str;
    }
}

struct Shelf<T> {
    cache: Memory,
    runs: Runs,
    item: T,
}

impl<T> Shelf<T> {
    fn new(item: T) -> Self {
        Self {
            cache: memory(),
            runs: Runs::default(),
            item,
        }
    }
}

#[cached]
impl<T: Clone + Serialize + DeserializeOwned> shop::Find for Shelf<T> {
    type Error = String;
    type Item = T;

    #[cached(cache = self.cache, key = "item:{id}", ttl = "1h")]
    fn find(&self, id: u64) -> Option<Self::Item> {
        self.runs.run();
        // What the trait has besides is in scope, though the trait itself is not.
        let found: Option<Self::Item> = (self.name() == "shelf" && id != 0).then(|| self.item.clone());
        found
    }

    #[cached(cache = self.cache, key = "loaded:{id}", ttl = "1h")]
    async fn load(&self, id: u64) -> Result<Self::Item, Self::Error> {
        self.runs.run();
        self.find(id).ok_or_else(|| format!("no item {id}"))
    }

    #[cached(cache = cache, key = "count:{by}", ttl = "1h")]
    fn count(cache: &Memory, by: u64) -> u64 {
        by + cache.stats().waiting as u64
    }

    fn name(&self) -> &'static str {
        "shelf"
    }
}

#[test]
fn a_method_of_a_trait_is_cached_and_its_calls_are_the_types_own() {
    use shop::Find;

    let shelf = Shelf::new(7_u8);
    assert_eq!((shelf.find(1), shelf.find(1)), (Some(7), Some(7)));
    assert_eq!(shelf.runs.count(), 1);
    assert_eq!(shelf.find_peek(1).unwrap(), Some(Some(7)));
    assert_eq!(shelf.find_refresh(1), Some(7));
    assert_eq!(shelf.runs.count(), 2);
    assert!(shelf.find_invalidate(1).unwrap());
    assert_eq!(shelf.find_key(1), "item:1");

    assert_eq!(block_on(shelf.load(0)), Err("no item 0".to_owned()));
    assert_eq!(block_on(shelf.load(2)), Ok(7));
    assert_eq!(block_on(shelf.load_peek(2)).unwrap(), Some(7));
    assert_eq!(Shelf::<u8>::count(&shelf.cache, 3), 3);
    assert_eq!(Shelf::<u8>::count_key(&shelf.cache, 3), "count:3");
}

#[test]
fn a_method_of_a_trait_is_cached_through_a_generic_caller_too() {
    fn first<F: shop::Find>(found: &F) -> Option<F::Item> {
        found.find(1)
    }
    let shelf = Shelf::new(7_u8);
    assert_eq!((first(&shelf), first(&shelf)), (Some(7), Some(7)));
    assert_eq!(shelf.runs.count(), 1);
}

trait Doubled {
    fn cache(&self) -> &Memory;
    fn runs(&self) -> &Runs;

    #[cached(cache = self.cache(), key = "twice:{of}", ttl = "1h")]
    fn twice(&self, of: u64) -> u64 {
        self.runs().run();
        of * 2
    }
}

impl<T> Doubled for Shelf<T> {
    fn cache(&self) -> &Memory {
        &self.cache
    }

    fn runs(&self) -> &Runs {
        &self.runs
    }
}

#[test]
fn a_provided_method_is_cached_and_its_trait_still_makes_objects() {
    let shelf = Shelf::new(());
    let object: &dyn Doubled = &shelf;
    assert_eq!((object.twice(2), object.twice(2)), (4, 4));
    assert_eq!(shelf.runs.count(), 1);
    assert_eq!(object.twice_peek(2).unwrap(), Some(4));
    assert!(object.twice_invalidate(2).unwrap());
    assert_eq!(object.twice_key(2), "twice:2");
}

#[cached]
trait Made {
    #[cached(cache = cache, key = "made:{id}", ttl = "1h")]
    fn made(cache: &Cache<MemoryBackend>, id: u64) -> u64 {
        id + cache.stats().waiting as u64
    }
}

impl Made for () {}

#[cached]
impl<T> Shelf<T> {
    #[cached(cache = cache, key = "{id}", ttl = "1h")]
    fn fresh(cache: &Memory, id: u64) -> u64 {
        id + cache.stats().waiting as u64
    }

    fn item(&self) -> &T {
        &self.item
    }
}

#[test]
fn an_associated_function_of_a_marked_block_needs_no_word() {
    let cache = memory();
    assert_eq!(<()>::made(&cache, 1), 1);
    assert_eq!(<()>::made_peek(&cache, 1).unwrap(), Some(1));
    assert_eq!(Shelf::<u8>::fresh(&cache, 2), 2);
    assert_eq!(Shelf::<u8>::fresh_peek(&cache, 2).unwrap(), Some(2));
    assert_eq!(*Shelf::new(3).item(), 3);
}

mod points {
    use larder::cached;
    use serde::{Deserialize, Serialize};

    use crate::support::Memory;

    pub(super) trait Place {
        type Point;

        fn place(&self, x: u64) -> Self::Point;
        fn across(&self, x: u64) -> u64;
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    pub(super) struct Point {
        pub(super) x: u64,
    }

    #[deprecated]
    fn doubled(x: u64) -> u64 {
        x * 2
    }

    pub(super) struct Map {
        pub(super) cache: Memory,
    }

    #[deny(deprecated)]
    mod place {
        #[expect(deprecated, reason = "to have what the block is to be told of")]
        use super::doubled;
        use super::{Map, Place, Point, cached};

        #[cached]
        #[expect(deprecated, reason = "what is said of the block is said of the bodies in it")]
        impl Place for Map {
            type Point = Point;

            #[cached(cache = self.cache, key = "place:{x}", ttl = "1h")]
            fn place(&self, x: u64) -> Self::Point {
                Self::Point { x: doubled(x) }
            }

            #[cached(cache = self.cache, key = "across:{x}", ttl = "1h")]
            fn across(&self, x: u64) -> u64 {
                let Self::Point { x } = self.place(x);
                x
            }
        }
    }
}

#[test]
fn a_body_makes_and_takes_apart_a_struct_of_the_trait_and_keeps_the_lints_of_the_block() {
    use points::{Map, Place, Point};

    let map = Map { cache: memory() };
    assert_eq!((map.place(1), map.across(1)), (Point { x: 2 }, 2));
    assert_eq!(map.place_peek(1).unwrap(), Some(Point { x: 2 }));
}
