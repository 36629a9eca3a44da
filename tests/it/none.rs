//! None, Some and plain values in every combination of written and read type.

use larder::{Cache, Json, Lookup, MessagePack, Postcard, Serializer};
use larder_memory::MemoryBackend;
use serde::{Serialize, de::DeserializeOwned};

use crate::backends::{World, block_on, on_each_backend};

type One = Option<i32>;
type Two = Option<One>;
type Three = Option<Two>;

/// What readers of no, one, two and three layers of `Option` get.
type Answers = (Lookup<i32>, Lookup<One>, Lookup<Two>, Lookup<Three>);

fn answers<S: Serializer, T: Serialize>(serializer: S, written: &T) -> Answers {
    let cache = Cache::builder(MemoryBackend::new())
        .serializer(serializer)
        .build()
        .unwrap();
    block_on(cache.set("key", written, 60)).unwrap();
    let answers = (read(&cache), read(&cache), read(&cache), read(&cache));
    assert_eq!(cache.stats().undecodable, 0);
    answers
}

fn read<S: Serializer, T: DeserializeOwned>(cache: &Cache<MemoryBackend, S>) -> Lookup<T> {
    block_on(cache.lookup("key")).unwrap()
}

fn every_combination<S: Serializer + Copy>(serializer: S) {
    let value: Answers = (
        Lookup::Hit(5),
        Lookup::Hit(Some(5)),
        Lookup::Hit(Some(Some(5))),
        Lookup::Hit(Some(Some(Some(5)))),
    );
    assert_eq!(answers(serializer, &5), value);
    assert_eq!(answers(serializer, &Some(5)), value);
    assert_eq!(answers(serializer, &Some(Some(5))), value);
    assert_eq!(answers(serializer, &Some(Some(Some(5)))), value);

    let none: Answers = (Lookup::Absent, Lookup::Hit(None), Lookup::Hit(None), Lookup::Hit(None));
    assert_eq!(answers(serializer, &None::<i32>), none);
    assert_eq!(answers(serializer, &None::<One>), none);
    assert_eq!(answers(serializer, &None::<Two>), none);

    let some_none: Answers = (
        Lookup::Absent,
        Lookup::Hit(None),
        Lookup::Hit(Some(None)),
        Lookup::Hit(Some(None)),
    );
    assert_eq!(answers(serializer, &Some(None::<i32>)), some_none);
    assert_eq!(answers(serializer, &Some(None::<One>)), some_none);

    let some_some_none: Answers = (
        Lookup::Absent,
        Lookup::Hit(None),
        Lookup::Hit(Some(None)),
        Lookup::Hit(Some(Some(None))),
    );
    assert_eq!(answers(serializer, &Some(Some(None::<i32>))), some_some_none);
}

#[test]
fn postcard_takes_every_combination() {
    every_combination(Postcard);
}

#[test]
fn json_takes_every_combination() {
    every_combination(Json);
}

#[test]
fn messagepack_takes_every_combination() {
    every_combination(MessagePack);
}

#[test]
fn a_null_of_the_format_is_not_a_none() {
    let cache = Cache::builder(MemoryBackend::new()).serializer(Json).build().unwrap();
    block_on(cache.set("key", &serde_json::Value::Null, 60)).unwrap();
    assert_eq!(
        block_on(cache.lookup::<serde_json::Value>("key")).unwrap(),
        Lookup::Hit(serde_json::Value::Null)
    );
    // A type that takes whatever comes takes a None as its null.
    block_on(cache.set("key", &None::<serde_json::Value>, 60)).unwrap();
    assert_eq!(
        block_on(cache.lookup::<serde_json::Value>("key")).unwrap(),
        Lookup::Hit(serde_json::Value::Null)
    );
    block_on(cache.set("key", &(), 60)).unwrap();
    assert_eq!(
        block_on(cache.lookup::<Option<()>>("key")).unwrap(),
        Lookup::Hit(Some(()))
    );
}

#[test]
fn an_untagged_enum_with_an_option_inside_comes_back() {
    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(Option<i32>),
        Text(String),
    }
    fn comes_back<S: Serializer>(serializer: S) {
        let cache = Cache::builder(MemoryBackend::new())
            .serializer(serializer)
            .build()
            .unwrap();
        for value in [
            Either::Number(None),
            Either::Number(Some(3)),
            Either::Text("text".into()),
        ] {
            block_on(cache.set("key", &value, 60)).unwrap();
            assert_eq!(block_on(cache.lookup("key")).unwrap(), Lookup::Hit(value));
        }
    }
    comes_back(Json);
    comes_back(MessagePack);
}

/// A format that goes over a value once to measure it, and once more to write it.
#[derive(Debug, Clone, Copy)]
struct Measured;

impl Serializer for Measured {
    const ID: u8 = 200;

    fn encode<T: Serialize + ?Sized>(&self, value: &T, out: &mut Vec<u8>) -> larder::Result<()> {
        let mut measured = Vec::new();
        Postcard.encode(value, &mut measured)?;
        out.reserve(measured.len());
        Postcard.encode(value, out)
    }

    fn decode_seed<'de, D: serde::de::DeserializeSeed<'de>>(
        &self,
        bytes: &'de [u8],
        seed: D,
    ) -> larder::Result<D::Value> {
        Postcard.decode_seed(bytes, seed)
    }
}

#[test]
fn a_format_that_serializes_twice_takes_every_combination() {
    larder::conformance::serializer(&Measured);
    every_combination(Measured);
}

#[test]
fn a_none_under_300_layers_is_refused_and_nothing_is_stored() {
    struct Deep(usize);
    impl Serialize for Deep {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0.checked_sub(1) {
                Some(less) => serializer.serialize_some(&Self(less)),
                None => serializer.serialize_none(),
            }
        }
    }
    let cache = Cache::new(MemoryBackend::new());
    block_on(cache.set("key", &Deep(255), 60)).unwrap();
    assert_eq!(block_on(cache.lookup::<i32>("key")).unwrap(), Lookup::Absent);
    let error = block_on(cache.set("key", &Deep(256), 60)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "set: a None inside more than 255 layers of Some can not be encoded"
    );
}

on_each_backend! {
    async fn a_cached_none_counts_as_cached_everywhere(world) {
        let cache = world.cache();
        cache.set("none", &None::<i32>, 60).await.unwrap();
        assert_eq!(cache.get::<i32>("none").await.unwrap(), None);
        assert_eq!(cache.get::<Option<i32>>("none").await.unwrap(), Some(None));
        assert_eq!(cache.get::<Option<i32>>("missing").await.unwrap(), None);
        assert!(cache.exists("none").await.unwrap());
        assert!(!cache.add("none", &1, 60).await.unwrap());
        assert!(cache.replace("none", &None::<i32>, 60).await.unwrap());
        let found = cache.get_many::<Option<i32>>(["none", "missing"]).await.unwrap();
        assert_eq!(found, [("none".to_owned(), None)].into());
        assert!(cache.get_many::<i32>(["none"]).await.unwrap().is_empty());
        assert!(cache.delete("none").await.unwrap());
        let _: World<B> = world;
    }
}
