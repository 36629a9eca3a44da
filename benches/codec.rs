//! Size and time of every serializer with every compressor: `cargo bench --bench codec -- [folder for the plots]`.
//!
//! The payloads are what services keep: a small struct, an order, a text, a tree as from a JSON API, and bytes that
//! nothing makes smaller. `examples/codec_report.rs` does the same with values of yours.

use std::{fs, path::PathBuf};

use larder::codec_report;
use rand::{SeedableRng, rngs::SmallRng};
use serde::{Serialize, de::DeserializeOwned};

#[path = "payloads/mod.rs"]
mod payloads;

use payloads::{Blob, Node, Order, Session, text};

const SEED: u64 = 8;

fn main() {
    println!("seed {SEED}");
    let folder = std::env::args()
        .skip(1)
        .find(|word| !word.starts_with('-'))
        .map(PathBuf::from);
    let report = |name: &str, samples: &dyn Fn() -> (String, String)| {
        let (table, svg) = samples();
        println!("\n{name}: {table}");
        if let Some(folder) = &folder {
            let path = folder.join(format!("codec-{}.svg", name.replace(' ', "-")));
            fs::write(&path, svg).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    };
    let mut random = SmallRng::seed_from_u64(SEED);
    let sessions: Vec<Session> = (0..64).map(|_| Session::random(&mut random)).collect();
    let orders: Vec<Order> = (0..32).map(|_| Order::random(&mut random, 20)).collect();
    let texts: Vec<String> = (0..16).map(|_| text(&mut random, 10 * 1024)).collect();
    let trees: Vec<Node> = (0..4).map(|_| Node::random(&mut random, 100 * 1024)).collect();
    let blobs: Vec<Blob> = (0..8).map(|_| Blob::random(&mut random, 32 * 1024)).collect();
    report("small struct", &|| both(&sessions));
    report("order of 20 lines", &|| both(&orders));
    report("text of 10 KB", &|| both(&texts));
    report("tree of 100 KB", &|| both(&trees));
    report("incompressible bytes", &|| both(&blobs));
}

fn both<T: Serialize + DeserializeOwned>(samples: &[T]) -> (String, String) {
    let report = codec_report(samples);
    (report.to_string(), report.to_svg())
}
