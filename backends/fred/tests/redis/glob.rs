//! The in-process glob matcher against the server's own.

use std::{collections::BTreeSet, env};

use larder::glob;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use testkit::RedisServer;

const ALPHABET: [char; 16] = [
    'a', 'b', 'c', '*', '*', '?', '[', '[', ']', '^', '-', '\\', 'é', '\0', 'Z', ':',
];

fn text(rng: &mut StdRng, longest: usize) -> String {
    let len = rng.random_range(0..=longest);
    (0..len).map(|_| ALPHABET.choose(rng).unwrap()).collect()
}

#[test]
fn the_matcher_agrees_with_the_server_on_random_patterns_and_keys() {
    let seed = env::var("LARDER_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("LARDER_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let server = RedisServer::start();

    let mut keys: BTreeSet<String> = (0..300).map(|_| text(&mut rng, 6)).collect();
    keys.insert(String::new());
    keys.extend(["a", "b", "[", "]", "^", "-", "\\", "a-c", "é", "abc"].map(String::from));
    for key in &keys {
        server.command::<()>(&["SET", key, "1"]);
    }

    let edges = [
        "", "*", "**", "[", "[^", "[a", "[^a", "[]", "[^]", "[a-", "[a-]", "[-a]", "[a-c", "[c-a]", "[\\]", "[\\]]",
        "\\", "a\\", "\\\\", "[a-\\]", "[\\a-c]", "*[", "*\\", "?*", "*?", "[^^]", "[]a]", "é", "[é]", "?",
    ];
    let random: Vec<String> = (0..3000).map(|_| text(&mut rng, 8)).collect();
    let mut matched = 0;
    for pattern in edges.into_iter().chain(random.iter().map(String::as_str)) {
        let expected: BTreeSet<String> = server.command(&["KEYS", pattern]);
        let found: BTreeSet<String> = keys.iter().filter(|key| glob::matches(pattern, key)).cloned().collect();
        assert_eq!(found, expected, "pattern {pattern:?} of LARDER_SEED={seed}");
        matched += expected.len();
    }
    assert!(
        matched > 1000,
        "{matched}: the patterns must match something, or the test compares nothing"
    );
}

#[test]
fn an_escaped_text_finds_its_own_key_alone_on_the_server() {
    let server = RedisServer::start();
    let keys = ["a*", "ab", "[x]", "x", "?", "\\", "\\\\", "^", "a-c", "日本*", "]"];
    for key in keys {
        server.command::<()>(&["SET", key, "1"]);
    }
    for key in keys {
        let found: Vec<String> = server.command(&["KEYS", &*glob::escape(key)]);
        assert_eq!(found, [key]);
    }
}
