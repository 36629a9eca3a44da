//! Every interleaving of the flight table's steps: `RUSTFLAGS="--cfg larder_loom" cargo test -p larder --lib loom`.
