use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    CodecCost, CodecRow,
    matrix::{Pair, pairs},
};
use crate::error::Result;

/// Rounds in which every pair has its turn; one more before them warms up.
const ROUNDS: usize = 7;
/// A turn makes as many whole passes over the samples as fit, and at least one.
const TURN: Duration = Duration::from_millis(2);

/// One pair on its way through the rounds.
struct Lane<T> {
    pair: Pair<T>,
    stored: Vec<Vec<u8>>,
    encode: Vec<Duration>,
    decode: Vec<Duration>,
}

pub(super) fn rows<T: Serialize + DeserializeOwned>(samples: &[T]) -> Vec<CodecRow> {
    if samples.is_empty() {
        return Vec::new();
    }
    let mut refused: Vec<CodecRow> = Vec::new();
    let mut lanes: Vec<Lane<T>> = Vec::new();
    for pair in pairs::<T>() {
        if refused.iter().any(|row| row.serializer == pair.serializer) {
            continue;
        }
        match store(&pair, samples) {
            Ok(stored) => lanes.push(Lane {
                pair,
                stored,
                encode: Vec::new(),
                decode: Vec::new(),
            }),
            Err(error) => refused.push(CodecRow {
                serializer: pair.serializer,
                compressor: "any",
                cost: Err(error),
            }),
        }
    }
    for round in 0..=ROUNDS {
        for lane in &mut lanes {
            let (encode, decode) = turn(lane, samples);
            if round > 0 {
                lane.encode.push(encode);
                lane.decode.push(decode);
            }
        }
    }
    lanes.into_iter().map(row).chain(refused).collect()
}

/// The stored form of every sample, each of which was read back.
fn store<T>(pair: &Pair<T>, samples: &[T]) -> Result<Vec<Vec<u8>>> {
    let mut between = Vec::new();
    let stored = samples.iter().map(|sample| {
        let mut stored = Vec::new();
        pair.codec.encode(sample, &mut between, &mut stored)?;
        pair.codec.decode(&stored, &mut between)?;
        Ok(stored)
    });
    stored.collect()
}

/// The mean times of one value in one turn.
fn turn<T>(lane: &Lane<T>, samples: &[T]) -> (Duration, Duration) {
    let (mut between, mut out) = (Vec::new(), Vec::new());
    let codec = &lane.pair.codec;
    let encode = timed(samples.len(), || {
        for sample in samples {
            out.clear();
            // It succeeded before, and a sample does not change.
            let _ = black_box(codec.encode(black_box(sample), &mut between, &mut out));
        }
    });
    let decode = timed(samples.len(), || {
        for stored in &lane.stored {
            let _ = black_box(codec.decode(black_box(stored), &mut between));
        }
    });
    (encode, decode)
}

fn timed(values: usize, mut pass: impl FnMut()) -> Duration {
    let mut passes = 0;
    let began = Instant::now();
    while passes == 0 || began.elapsed() < TURN {
        pass();
        passes += 1;
    }
    began.elapsed().div_f64(count(values) * f64::from(passes))
}

fn row<T>(mut lane: Lane<T>) -> CodecRow {
    let bytes: usize = lane.stored.iter().map(Vec::len).sum();
    CodecRow {
        serializer: lane.pair.serializer,
        compressor: lane.pair.compressor,
        cost: Ok(CodecCost {
            bytes: count(bytes) / count(lane.stored.len()),
            encode: median(&mut lane.encode),
            decode: median(&mut lane.decode),
        }),
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 bytes in memory")]
fn count(count: usize) -> f64 {
    count as f64
}
