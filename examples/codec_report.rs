//! Which serializer and compressor suit values of yours:
//!
//! `cargo run --release --example codec_report -- values.json [plot.svg]`
//!
//! The file holds a JSON array of values as you cache them; without one, the example makes some up. Values of a type
//! known only at run time (`serde_json::Value`) can not be read back from postcard, and the report says so. Put your
//! own type in the place of `Value` to see what postcard does with it.

use std::{env, error::Error, fs};

use larder::{CodecReport, codec_report};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let samples: Vec<Value> = match arguments.next() {
        Some(path) => serde_json::from_str(&fs::read_to_string(path)?)?,
        None => (0..50).map(made_up).collect(),
    };
    let report = codec_report(&samples);
    println!("{report}");
    check(&report, samples.len());
    if let Some(path) = arguments.next() {
        fs::write(&path, report.to_svg())?;
        println!("plot: {path}");
    }
    Ok(())
}

fn made_up(n: usize) -> Value {
    json!({
        "id": n,
        "name": format!("Article {n}"),
        "tags": ["new", "sale", "summer"],
        "description": "Soft, warm, and washable. ".repeat(n % 7 + 1),
        "prices": { "EUR": 19.99, "USD": 21.49 },
    })
}

fn check(report: &CodecReport, samples: usize) {
    if samples == 0 {
        return assert!(report.rows().is_empty());
    }
    for row in report.rows() {
        // JSON takes all that came from JSON.
        assert!(row.serializer != "json" || row.cost.is_ok());
        if let Ok(cost) = &row.cost {
            assert!(cost.bytes > 0.0);
        }
    }
}
