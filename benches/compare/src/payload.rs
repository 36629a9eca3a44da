//! What is cached: one small struct, one of about 100 bytes, one document of 10 KiB.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A value that every contender stores with the serializer its own docs give first.
pub trait Payload: Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static {
    /// How the size is called in the names of workloads.
    const SIZE: &'static str;

    /// The `n`th value.
    fn numbered(n: usize) -> Self;
}

/// About 40 bytes in postcard: what a hit in the process costs is the smaller the smaller the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "contenders", derive(hitbox_fn::CacheableResponse))]
pub struct User {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub active: bool,
    pub score: f64,
}

impl Payload for User {
    const SIZE: &'static str = "42B";

    fn numbered(n: usize) -> Self {
        Self {
            id: n as u64,
            name: "Ada Lovelace".into(),
            email: "ada@example.com".into(),
            active: true,
            score: 0.5,
        }
    }
}

/// About 100 bytes in postcard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "contenders", derive(hitbox_fn::CacheableResponse))]
pub struct Profile {
    pub id: u64,
    pub name: String,
    pub email: String,
    pub about: String,
    pub active: bool,
    pub score: f64,
}

impl Payload for Profile {
    const SIZE: &'static str = "100B";

    fn numbered(n: usize) -> Self {
        Self {
            id: n as u64,
            name: "Ada Lovelace".into(),
            email: "ada@example.com".into(),
            about: "Wrote the first program, for an engine that was never built".into(),
            active: true,
            score: 0.5,
        }
    }
}

/// 10 KiB of text, which can be compressed to about a third, as text can.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "contenders", derive(hitbox_fn::CacheableResponse))]
pub struct Document {
    pub id: u64,
    pub title: String,
    pub body: String,
}

impl Payload for Document {
    const SIZE: &'static str = "10KiB";

    fn numbered(n: usize) -> Self {
        Self {
            id: n as u64,
            title: format!("On the number {n}"),
            body: text(n as u64, 10 * 1024),
        }
    }
}

/// Words in the order a linear congruence gives them: the same bytes for the same seed, on any machine.
fn text(seed: u64, bytes: usize) -> String {
    const WORDS: [&str; 32] = [
        "order", "cache", "river", "stone", "light", "number", "window", "garden", "paper", "engine", "silver",
        "morning", "letter", "market", "winter", "bridge", "history", "corner", "music", "island", "village",
        "measure", "reason", "kitchen", "distance", "harbour", "question", "shadow", "pattern", "station", "account",
        "weather",
    ];
    let mut state = seed.wrapping_add(1);
    let mut text = String::with_capacity(bytes + 16);
    while text.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(state >> 59) as usize]);
        text.push(' ');
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payloads_are_as_large_as_their_names_say() {
        let bytes = |value: &dyn Fn() -> Vec<u8>| value().len();
        assert_eq!(bytes(&|| postcard::to_stdvec(&User::numbered(7)).unwrap()), 39);
        assert_eq!(bytes(&|| postcard::to_stdvec(&Profile::numbered(7)).unwrap()), 99);
        assert_eq!(bytes(&|| postcard::to_stdvec(&Document::numbered(7)).unwrap()), 10_259);
    }
}
