//! What each codec costs on values of a user's own.

use larder::{CodecReport, codec_report};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Article {
    id: u64,
    name: String,
    description: String,
}

fn articles() -> Vec<Article> {
    let article = |id| Article {
        id,
        name: format!("Article {id}"),
        description: "Soft, warm, and washable. ".repeat(40),
    };
    (0..8).map(article).collect()
}

fn bytes(report: &CodecReport, serializer: &str, compressor: &str) -> f64 {
    let mut rows = report.rows().iter();
    let row = rows.find(|row| (row.serializer, row.compressor) == (serializer, compressor));
    row.expect("every pair has a row")
        .cost
        .as_ref()
        .expect("the samples suit it")
        .bytes
}

#[test]
fn every_shipped_pair_is_measured() {
    let report = codec_report(&articles());
    for serializer in ["postcard", "json", "messagepack"] {
        for compressor in ["snappy", "lz4", "zstd"] {
            let [plain, packed] = ["none", compressor].map(|compressor| bytes(&report, serializer, compressor));
            assert!(
                packed < plain / 4.0,
                "{serializer} + {compressor}: {packed} of {plain} bytes"
            );
        }
    }
    // Names of fields are in JSON, and in MessagePack with them, and not in postcard.
    assert!(bytes(&report, "postcard", "none") < bytes(&report, "messagepack", "none"));
    assert!(bytes(&report, "messagepack", "none") < bytes(&report, "json", "none"));
    assert!(
        report
            .rows()
            .iter()
            .all(|row| row.cost.as_ref().is_ok_and(|cost| !cost.encode.is_zero()))
    );
}

#[test]
fn a_serializer_that_can_not_read_the_samples_says_so_and_the_others_go_on() {
    let samples = [serde_json::json!({ "id": 1 }), serde_json::json!([2])];
    let report = codec_report(&samples);
    assert_eq!(report.rows().len(), 4 + 4 + 1);
    let refused = report.rows().last().unwrap();
    assert_eq!((refused.serializer, refused.compressor), ("postcard", "any"));
    let said = refused.cost.as_ref().unwrap_err().to_string();
    assert!(said.starts_with("postcard can not decode the value"), "{said}");
    assert!(report.to_string().contains(&said));
}

#[test]
fn the_plot_names_its_axes_and_every_codec() {
    let svg = codec_report(&articles()).to_svg();
    for text in [
        "time to encode and decode one value",
        "stored bytes of one value",
        "postcard",
        "messagepack",
        "zstd",
        "lz4",
    ] {
        assert!(svg.contains(text), "{text}");
    }
}

#[test]
fn no_samples_are_no_rows() {
    let report = codec_report::<Article>(&[]);
    assert!(report.rows().is_empty());
    assert!(report.to_string().starts_with("0 values"));
}
