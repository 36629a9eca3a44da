use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures::{FutureExt, executor::block_on};

use super::*;

fn leader(flights: &Flights, key: &str) -> Leader {
    match flights.board(key, flights.ticket(), Sight::Nothing) {
        Boarding::Leader(leader) => leader,
        _ => panic!("expected to lead"),
    }
}

fn follower(flights: &Flights, key: &str, ticket: Ticket, sight: Sight<'_>) -> Follower {
    match flights.board(key, ticket, sight) {
        Boarding::Follower(follower) => follower,
        _ => panic!("expected to follow"),
    }
}

fn place(leader: &Leader) {
    leader.attempt(Bytes::from("one, placed"));
    leader.fill_against(Bytes::from("one"));
}

fn entry(bytes: &'static str) -> Landing {
    Landing::Entry(Bytes::from(bytes))
}

#[test]
fn one_leads_and_the_others_get_its_landing() {
    let flights = Flights::default();
    let ticket = flights.ticket();
    let mut leads = leader(&flights, "key");
    let followers: Vec<_> = (0..3)
        .map(|_| follower(&flights, "key", ticket, Sight::Nothing))
        .collect();
    leads.begin();
    leads.land(entry("value"));
    for follower in followers {
        let arrival = block_on(follower);
        assert!(matches!(arrival, Arrival::Landed(Landing::Entry(bytes)) if bytes == "value"));
    }
    assert_eq!(flights.len(), 1);
    drop(leads);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_load_that_began_before_the_call_is_not_shared_without_its_fence() {
    let flights = Flights::default();
    let before = flights.ticket();
    let first = leader(&flights, "key");
    place(&first);
    first.begin();
    let after = flights.ticket();
    drop(follower(&flights, "key", before, Sight::Nothing));
    drop(follower(&flights, "key", after, Sight::Fence(b"one")));
    assert!(matches!(
        flights.board("key", after, Sight::Fence(b"two")),
        Boarding::Leader(_)
    ));
    let second = leader(&flights, "key");
    // The first is no longer in the table, and its end does not take the second's place away.
    drop(first);
    assert_eq!(flights.len(), 1);
    drop(second);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_call_that_can_not_see_shares_a_load_without_a_fence_alone() {
    let flights = Flights::default();
    let blind = leader(&flights, "blind");
    blind.begin();
    let fenced = leader(&flights, "fenced");
    place(&fenced);
    fenced.begin();
    let after = flights.ticket();
    drop(follower(&flights, "blind", after, Sight::Blind));
    assert!(matches!(
        flights.board("fenced", after, Sight::Blind),
        Boarding::Leader(_)
    ));
}

#[test]
fn a_dropped_leader_hands_over_to_exactly_one_follower_with_its_fence() {
    let flights = Flights::default();
    let ticket = flights.ticket();
    let leads = leader(&flights, "key");
    place(&leads);
    leads.begin();
    let mut first = pin!(follower(&flights, "key", ticket, Sight::Nothing));
    let mut second = pin!(follower(&flights, "key", ticket, Sight::Nothing));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(first.poll_unpin(&mut cx).is_pending());
    assert!(second.poll_unpin(&mut cx).is_pending());
    drop(leads);
    let Poll::Ready(Arrival::TakeOver(taken)) = first.poll_unpin(&mut cx) else {
        panic!("the first follower takes over");
    };
    assert_eq!(taken.fence().unwrap(), "one");
    assert_eq!(taken.placed().unwrap(), "one, placed");
    assert!(second.poll_unpin(&mut cx).is_pending());
    assert!(flights.take_abandoned().is_empty());
}

#[test]
fn a_woken_follower_that_is_dropped_passes_the_lead_on() {
    let flights = Flights::default();
    let ticket = flights.ticket();
    let leads = leader(&flights, "key");
    let first = follower(&flights, "key", ticket, Sight::Nothing);
    let second = follower(&flights, "key", ticket, Sight::Nothing);
    drop(leads);
    drop(first);
    assert!(matches!(block_on(second), Arrival::TakeOver(_)));
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_flight_that_everybody_leaves_gives_its_fence_back_once() {
    let flights = Flights::default();
    let ticket = flights.ticket();
    let leads = leader(&flights, "key");
    place(&leads);
    let follows = follower(&flights, "key", ticket, Sight::Nothing);
    drop(leads);
    assert!(flights.take_abandoned().is_empty());
    drop(follows);
    assert_eq!(flights.take_abandoned(), [("key".into(), Bytes::from("one, placed"))]);
    assert_eq!(flights.len(), 0);
}

#[test]
fn a_settled_fence_is_not_given_back() {
    let flights = Flights::default();
    let mut leads = leader(&flights, "key");
    place(&leads);
    leads.land(entry("value"));
    leads.settle();
    drop(leads);
    assert!(flights.take_abandoned().is_empty());
}

#[test]
fn a_voided_flight_is_not_shared_and_knows_it() {
    let flights = Flights::default();
    let ticket = flights.ticket();
    let leads = leader(&flights, "key");
    flights.void("other");
    assert!(!leads.is_voided());
    flights.void_matching(|key| key.starts_with('k'));
    assert!(leads.is_voided());
    assert!(matches!(
        flights.board("key", ticket, Sight::Blind),
        Boarding::Leader(_)
    ));
}

#[test]
fn a_load_that_boards_its_own_flight_is_told_so() {
    let flights = Flights::default();
    let leads = leader(&flights, "key");
    leads.begin();
    let inside = Loading::new([&leads], async {
        let own = flights.board("key", flights.ticket(), Sight::Nothing);
        let other = flights.board("other", flights.ticket(), Sight::Nothing);
        (matches!(own, Boarding::Reentrant), matches!(other, Boarding::Leader(_)))
    });
    assert_eq!(block_on(inside), Some((true, true)));
    let panics = Loading::new([&leads], async { panic!("on purpose") });
    assert!(block_on(panics).is_none());
}
