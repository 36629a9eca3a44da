//! Random numbers, for a thread that is ending too: a call may be made where its last values are dropped.

use std::cell::Cell;

use rand::{
    RngExt, SeedableRng,
    distr::{
        Distribution, StandardUniform,
        uniform::{SampleRange, SampleUniform},
    },
    rngs::{StdRng, SysRng},
};

thread_local! {
    static DRAWN_FROM: Cell<Option<StdRng>> = const { Cell::new(None) };
}

/// A number, or bytes, of any value.
pub(crate) fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    draw(RngExt::random)
}

/// A number in `range`.
pub(crate) fn range<T: SampleUniform>(range: impl SampleRange<T>) -> T {
    draw(|from| from.random_range(range))
}

fn draw<T>(one: impl FnOnce(&mut StdRng) -> T) -> T {
    // A thread that is ending has no locals any more.
    let mut from = DRAWN_FROM.try_with(Cell::take).ok().flatten().unwrap_or_else(seeded);
    let drawn = one(&mut from);
    let _ = DRAWN_FROM.try_with(|kept| kept.set(Some(from)));
    drawn
}

fn seeded() -> StdRng {
    StdRng::try_from_rng(&mut SysRng).expect("the system gives out random numbers")
}
