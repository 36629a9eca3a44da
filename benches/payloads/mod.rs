//! Values like those that services keep.

use std::collections::BTreeMap;

use rand::{RngExt, rngs::SmallRng};
use serde::{Deserialize, Serialize};

/// A small flat struct.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    user: u64,
    name: String,
    email: String,
    admin: bool,
    score: f64,
}

impl Session {
    pub(crate) fn random(random: &mut SmallRng) -> Self {
        let name = words(random, 2);
        Self {
            user: random.random_range(0..10_000_000),
            email: format!("{}@example.com", name.replace(' ', ".")),
            name,
            admin: random.random_ratio(1, 50),
            score: random.random(),
        }
    }
}

/// A struct of structs, with a list.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    number: u64,
    customer: Session,
    placed_at: i64,
    note: Option<String>,
    lines: Vec<Line>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    article: String,
    name: String,
    quantity: u32,
    price_cents: i64,
    in_stock: bool,
}

impl Order {
    pub(crate) fn random(random: &mut SmallRng, lines: usize) -> Self {
        Self {
            number: random.random(),
            customer: Session::random(random),
            placed_at: random.random_range(1_700_000_000..1_800_000_000),
            note: random.random_ratio(1, 3).then(|| words(random, 12)),
            lines: (0..lines).map(|_| Line::random(random)).collect(),
        }
    }
}

impl Line {
    fn random(random: &mut SmallRng) -> Self {
        Self {
            article: format!("SKU-{:06}", random.random_range(0..1_000_000)),
            name: words(random, 4),
            quantity: random.random_range(1..20),
            price_cents: random.random_range(99..100_000),
            in_stock: random.random_ratio(9, 10),
        }
    }
}

/// A tree as a JSON API answers it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Node {
    id: String,
    title: String,
    weight: f64,
    labels: BTreeMap<String, String>,
    children: Vec<Node>,
}

impl Node {
    /// A tree of about `bytes` bytes as JSON.
    pub(crate) fn random(random: &mut SmallRng, bytes: usize) -> Self {
        let mut root = Self::leaf(random);
        let mut size = 0;
        while size < bytes {
            let mut branch = Self::leaf(random);
            branch.children = (0..8).map(|_| Self::leaf(random)).collect();
            size += serde_json::to_vec(&branch).map_or(bytes, |json| json.len());
            root.children.push(branch);
        }
        root
    }

    fn leaf(random: &mut SmallRng) -> Self {
        Self {
            id: format!("{:032x}", random.random::<u128>()),
            title: words(random, 6),
            weight: random.random(),
            labels: ["owner", "region", "state"]
                .map(|label| (label.into(), words(random, 1)))
                .into(),
            children: Vec::new(),
        }
    }
}

/// Bytes that nothing makes smaller.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Blob {
    bytes: Vec<u8>,
}

impl Blob {
    pub(crate) fn random(random: &mut SmallRng, bytes: usize) -> Self {
        Self {
            bytes: (0..bytes).map(|_| random.random()).collect(),
        }
    }
}

/// Words, as compressible as words are.
pub(crate) fn text(random: &mut SmallRng, bytes: usize) -> String {
    let mut text = words(random, bytes / 5);
    text.truncate(bytes);
    text
}

fn words(random: &mut SmallRng, count: usize) -> String {
    const SYLLABLES: [&str; 24] = [
        "ka", "ro", "mi", "len", "dor", "sa", "ti", "vel", "an", "or", "is", "ure", "ment", "con", "per", "tra", "sol",
        "ne", "qui", "ber", "lan", "fo", "gra", "the",
    ];
    // Few words are common and many are rare, as in a language.
    let word = |random: &mut SmallRng| {
        let up_to = random.random_range(1..=4_000);
        let which = random.random_range(0..up_to);
        [which, which / 24, which / 576]
            .map(|syllable| SYLLABLES[syllable % 24])
            .concat()
    };
    (0..count).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}
