//! A connection that breaks, in every way, on what is asked and on what is answered, under every kind of call.

use std::{
    thread,
    time::{Duration, Instant},
};

use larder::{CacheBackend, ErrorKind};
use testkit::{Direction, Fault, FaultProxy, RedisServer};

use super::calls::Call;
use crate::{
    Client, Settings,
    support::{DEADLINE, MARGIN, block_on, eventually_async, within},
};

/// What calls fail with that need an answer over a broken connection.
const AWAY: [ErrorKind; 2] = [ErrorKind::Connection, ErrorKind::Timeout];
const LATE: [ErrorKind; 1] = [ErrorKind::Timeout];

/// How long recovery may take once the fault is over. A connection that went silent is found out after a second.
const RECOVERY: Duration = Duration::from_millis(2_500);

struct Scenario {
    name: String,
    inject: Box<dyn Fn(&FaultProxy) + Send + Sync>,
    kinds: &'static [ErrorKind],
}

impl Scenario {
    fn new(name: &str, kinds: &'static [ErrorKind], inject: impl Fn(&FaultProxy) + Send + Sync + 'static) -> Self {
        Self {
            name: name.to_owned(),
            inject: Box::new(inject),
            kinds,
        }
    }

    /// A fault in each direction.
    fn both_ways(fault: Fault, kinds: &'static [ErrorKind]) -> Vec<Self> {
        let of = |direction| {
            Self::new(&format!("{fault:?} {direction:?}"), kinds, move |proxy| {
                proxy.inject(direction, fault);
            })
        };
        Direction::ALL.map(of).into()
    }

    /// Injects the fault before each kind of call, and holds that the call ends in time and with the right kind, as do
    /// those after it, and that all is well soon after the fault is over.
    async fn hold<C: Client>(&self) {
        let server = RedisServer::start();
        let proxy = FaultProxy::start(server.port());
        let settings = Settings::new(proxy.url())
            .with_deadline(DEADLINE)
            .with_connect_timeout(2 * DEADLINE);
        let client = C::connect_strict(settings).await.unwrap();
        let backend = client.backend();
        Call::prepare(&backend).await;
        for call in Call::ALL {
            call.make(&backend).await.unwrap();
            // Written anew by each call, the marker included.
            server.command::<()>(&["DEL", "remembered:k"]);
            (self.inject)(&proxy);
            let mut longest = Duration::ZERO;
            for _ in 0..3 {
                let began = Instant::now();
                let answer = call.make(&backend).await;
                longest = longest.max(began.elapsed());
                within(call.deadlines() * DEADLINE + MARGIN, began);
                match answer {
                    Err(error) => assert!(self.kinds.contains(&error.kind()), "{} {call:?}: {error}", self.name),
                    Ok(()) => assert_eq!(call, Call::Remember, "{}: it is no fault", self.name),
                }
            }
            proxy.heal();
            let well = async || call.make(&backend).await.is_ok() && backend.get("a").await.is_ok();
            let back = eventually_async("all is well again", well).await;
            println!(
                "{:28} {call:9?} longest {longest:8.1?}   well again after {back:8.1?}",
                self.name
            );
            assert!(back < RECOVERY, "{} {call:?}: {back:?}", self.name);
        }
        client.close().await;
    }
}

/// Side by side, each with a server of its own: most of it is waiting.
fn hold_all<C: Client>(scenarios: &[Scenario]) {
    thread::scope(|scope| {
        for scenario in scenarios {
            scope.spawn(|| block_on(scenario.hold::<C>()));
        }
    });
}

pub(crate) fn outage_a_connection_that_is_refused_fails_every_call_in_time<C: Client>() {
    hold_all::<C>(&[Scenario::new("refused", &AWAY, FaultProxy::refuse)]);
}

pub(crate) fn outage_a_server_that_accepts_and_hangs_fails_every_call_in_time<C: Client>() {
    hold_all::<C>(&[Scenario::new("accepted, left hanging", &AWAY, |proxy| {
        // Those who are in are thrown out, so that they come again.
        proxy.refuse();
        proxy.hang();
    })]);
}

pub(crate) fn outage_a_connection_that_is_cut_fails_every_call_in_time<C: Client>() {
    // Nothing of the first reply or command, the beginning of it, and all of it but a part of the next.
    let scenarios: Vec<Scenario> = [0, 3, 7]
        .into_iter()
        .flat_map(|after| Scenario::both_ways(Fault::Cut(after), &AWAY))
        .collect();
    hold_all::<C>(&scenarios);
}

pub(crate) fn outage_a_connection_that_is_slow_fails_every_call_in_time<C: Client>() {
    hold_all::<C>(&Scenario::both_ways(Fault::Delay(3 * DEADLINE), &LATE));
}

pub(crate) fn outage_a_connection_that_trickles_fails_every_call_in_time<C: Client>() {
    hold_all::<C>(&Scenario::both_ways(Fault::Trickle(DEADLINE), &LATE));
}

pub(crate) fn outage_a_connection_that_is_half_open_fails_every_call_in_time<C: Client>() {
    hold_all::<C>(&Scenario::both_ways(Fault::Swallow, &LATE));
}

pub(crate) fn outage_a_connection_that_is_reset_fails_every_call_in_time<C: Client>() {
    hold_all::<C>(&Scenario::both_ways(Fault::Reset, &AWAY));
}
