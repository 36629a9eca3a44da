//! Random numbers, for a thread that is ending too: a call may be made where its last values are dropped.

use std::cell::RefCell;

use rand::{
    RngExt, SeedableRng,
    distr::{
        Distribution, StandardUniform,
        uniform::{SampleRange, SampleUniform},
    },
    rngs::{StdRng, SysRng},
};

thread_local! {
    static DRAWN_FROM: RefCell<Option<StdRng>> = const { RefCell::new(None) };
}

/// A number, or bytes, of any value.
pub(crate) fn random<T>() -> T
where
    StandardUniform: Distribution<T>,
{
    draw(RngExt::random)
}

/// A number in `range`.
#[expect(clippy::needless_pass_by_value, reason = "a range is written where it is used")]
pub(crate) fn range<T: SampleUniform>(range: impl SampleRange<T> + Clone) -> T {
    draw(|from| from.random_range(range.clone()))
}

fn draw<T>(one: impl Fn(&mut StdRng) -> T) -> T {
    // Drawn from in its place: it has 320 bytes, which every write of an entry would feel on their way out and back.
    let drawn = DRAWN_FROM.try_with(|kept| one(kept.borrow_mut().get_or_insert_with(seeded)));
    // A thread that is ending has no locals any more.
    drawn.unwrap_or_else(|_| one(&mut seeded()))
}

fn seeded() -> StdRng {
    StdRng::try_from_rng(&mut SysRng).expect("the system gives out random numbers")
}
