//! One load per key in a process: who leads it, who follows, and what happens when either goes away.
//!
//! Knows nothing of backends or values. A [`Flight`] has one leader, whose future runs the load, and any number of
//! followers, which wait for its landing. The rules:
//!
//! - A call may share a flight whose load began after the call did, or whose fence the call itself saw standing.
//!   Otherwise it leads a flight of its own, which takes the older one's place in the table.
//! - A leader that is dropped before it lands hands over to exactly one follower; with none, the flight ends and its
//!   fence is given back to be released.
//! - A blocking call does not share a flight that its own thread polls: nobody would poll it while the thread waits.
//! - Nobody joins a ring of loads and threads that wait for each other: the last to come loads for itself.
//! - A flight leaves the table when its leader is done with it, so an idle table is empty.

mod follower;
mod leader;
mod loading;
mod place;
mod table;
mod waits;

pub(crate) use follower::{Arrival, Follower};
pub(crate) use leader::Leader;
pub(crate) use loading::Loading;
pub(crate) use place::Blocked;
pub(crate) use table::{Boarding, Flights, Landing, Sight, Ticket};

#[cfg(all(test, larder_loom))]
mod loom_tests;
#[cfg(all(test, not(larder_loom)))]
mod tests;
