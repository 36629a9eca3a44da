//! What a full `LocalBackend` drops, and what it weighs.

use std::time::Duration;

use bytes::Bytes;
use futures::executor::block_on;
use larder::{CacheBackend, Condition, Expiry, KeyTtl, ManualClock, Outcome, Result, SetOptions};
use larder_local::LocalBackend;

fn set(backend: &LocalBackend, key: &str, value: Vec<u8>) -> Result<Outcome> {
    block_on(backend.set(key, Bytes::from(value), SetOptions::new(Expiry::Never)))
}

fn stands(backend: &LocalBackend, key: &str) -> bool {
    block_on(backend.get(key)).unwrap().is_some()
}

#[test]
fn a_map_bounded_by_entries_never_holds_more() {
    for capacity in [1, 10, 1_000, 5_000, 20_000] {
        let backend = LocalBackend::with_capacity(capacity);
        for n in 0..3 * capacity {
            assert!(set(&backend, &format!("{n}"), vec![0; 10]).unwrap().is_done());
            assert!(
                backend.len() <= capacity + 16,
                "{} entries of {capacity}",
                backend.len()
            );
        }
        assert!(
            backend.len() * 10 >= capacity * 9,
            "{} entries of {capacity}",
            backend.len()
        );
    }
}

#[test]
fn a_map_bounded_by_bytes_never_weighs_more() {
    let bound = 1 << 20;
    let backend = LocalBackend::with_max_bytes(bound);
    for n in 0..5_000_usize {
        set(&backend, &format!("{n}"), vec![0; n % 3_000]).unwrap();
        assert!(backend.weight() <= bound, "{} bytes of {bound}", backend.weight());
    }
    assert!(
        backend.weight() * 10 >= bound * 8,
        "{} bytes of {bound}",
        backend.weight()
    );
}

#[test]
fn an_entry_weighs_its_key_its_value_and_128_bytes() {
    let backend = LocalBackend::with_max_bytes(1 << 20);
    set(&backend, "key", vec![0; 100]).unwrap();
    assert_eq!(backend.weight(), 3 + 100 + 128);
    set(&backend, "key", vec![0; 10]).unwrap();
    assert_eq!(backend.weight(), 3 + 10 + 128);
    block_on(backend.delete("key", Condition::Always)).unwrap();
    assert_eq!(backend.weight(), 0);
}

#[test]
fn an_entry_larger_than_the_bound_is_gone_at_once_and_takes_the_old_one_along() {
    let backend = LocalBackend::with_max_bytes(10_000);
    set(&backend, "other", vec![0; 100]).unwrap();
    set(&backend, "k", vec![0; 100]).unwrap();
    assert_eq!(set(&backend, "k", vec![0; 20_000]).unwrap(), Outcome::Done);
    assert!(!stands(&backend, "k"), "neither the new value nor the old one");
    assert!(stands(&backend, "other"), "the others are left alone");
}

#[test]
fn a_map_without_room_keeps_nothing() {
    for backend in [LocalBackend::with_capacity(0), LocalBackend::with_max_bytes(0)] {
        assert!(set(&backend, "k", vec![0]).unwrap().is_done());
        assert!(!stands(&backend, "k"));
        assert!(backend.is_empty());
    }
}

#[test]
fn a_map_of_64_mebibytes_takes_an_entry_of_seven() {
    let backend = LocalBackend::with_max_bytes(64 << 20);
    set(&backend, "k", vec![0; 7 << 20]).unwrap();
    assert!(stands(&backend, "k"));
}

#[test]
fn an_expired_entry_that_is_met_gives_its_room_back() {
    let clock = ManualClock::new();
    let backend = LocalBackend::builder().clock(clock.clone()).build();
    let minute = SetOptions::new(Expiry::After(Duration::from_mins(1)));
    let keys = ["read", "written", "scanned"];
    for key in keys {
        block_on(backend.set(key, Bytes::from_static(b"v"), minute.clone())).unwrap();
    }
    clock.advance(Duration::from_mins(1));
    assert_eq!(backend.len(), 3);
    assert!(!stands(&backend, "read"));
    assert_eq!(backend.len(), 2);
    assert_eq!(
        block_on(backend.persist("written", Condition::Always)).unwrap(),
        Outcome::Missing
    );
    assert_eq!(backend.len(), 1);
    let pages: Vec<_> = block_on(futures::StreamExt::collect(backend.scan("*")));
    assert!(pages.into_iter().all(|page| page.unwrap().is_empty()));
    assert!(backend.is_empty());
}

#[test]
fn a_value_does_not_pin_the_buffer_it_came_in() {
    let backend = LocalBackend::with_capacity(10);
    let buffer = Bytes::from(vec![1_u8; 1 << 20]);
    let options = SetOptions::new(Expiry::Never);
    block_on(backend.set("k", buffer.slice(..8), options)).unwrap();
    assert!(buffer.is_unique(), "the map holds a part of the buffer");
}

#[test]
fn a_clone_is_a_handle_on_the_same_map_and_clear_empties_it() {
    let backend = LocalBackend::with_capacity(10);
    let other = backend.clone();
    set(&backend, "k", vec![0]).unwrap();
    assert!(stands(&other, "k"));
    other.clear();
    assert!(backend.is_empty() && !stands(&backend, "k"));
}

#[test]
fn entries_that_are_read_often_outlive_a_flood_of_new_ones() {
    let backend = LocalBackend::with_capacity(1_000);
    for n in 0..100 {
        set(&backend, &format!("hot:{n}"), vec![0]).unwrap();
    }
    for n in 0..10_000 {
        set(&backend, &format!("flood:{n}"), vec![0]).unwrap();
        assert!(stands(&backend, &format!("hot:{}", n % 100)), "after {n} others");
    }
    assert_eq!(
        block_on(backend.head("hot:1", 0)).unwrap().unwrap().ttl(),
        KeyTtl::Persistent
    );
}
