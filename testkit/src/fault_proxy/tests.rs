//! Each fault, seen from a plain socket.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Instant,
};

use super::*;
use crate::RedisServer;

const PING: &[u8] = b"PING\r\n";
const PONG: &[u8] = b"+PONG\r\n";
const SHORT: Duration = Duration::from_millis(100);

fn connect(proxy: &FaultProxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn ping(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(PING)?;
    let mut answer = [0; PONG.len()];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer, PONG);
    Ok(())
}

/// What arrives within a short while, and how the wait for more ended.
fn heard(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let mut all = Vec::new();
    let end = stream.read_to_end(&mut all).err().map(|error| error.kind());
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (all, end)
}

fn proxied() -> (RedisServer, FaultProxy) {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(server.port());
    (server, proxy)
}

#[test]
fn without_a_fault_bytes_go_both_ways() {
    let (_server, proxy) = proxied();
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    ping(&mut connect(&proxy)).unwrap();
    ping(&mut stream).unwrap();
    assert_eq!(proxy.accepted(), 2);
}

#[test]
fn a_closed_door_resets_who_is_in_and_refuses_who_comes_and_opens_again() {
    let (_server, proxy) = proxied();
    for _ in 0..3 {
        let mut stream = connect(&proxy);
        ping(&mut stream).unwrap();
        proxy.refuse();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        let refused = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        proxy.heal();
        ping(&mut connect(&proxy)).unwrap();

        // Opened again at once, it has reset them all the same.
        let mut stream = connect(&proxy);
        ping(&mut stream).unwrap();
        proxy.refuse();
        proxy.heal();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_hanging_door_accepts_and_says_nothing_ever() {
    let (_server, proxy) = proxied();
    let mut before = connect(&proxy);
    ping(&mut before).unwrap();
    proxy.hang();
    ping(&mut before).unwrap();
    let mut hung = connect(&proxy);
    hung.write_all(PING).unwrap();
    assert_eq!(heard(&mut hung), (vec![], Some(ErrorKind::WouldBlock)));
    proxy.heal();
    assert_eq!(heard(&mut hung), (vec![], Some(ErrorKind::WouldBlock)));
    ping(&mut connect(&proxy)).unwrap();
}

#[test]
fn a_cut_lets_so_many_bytes_through_and_closes() {
    let (_server, proxy) = proxied();
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    proxy.inject(Direction::ToClient, Fault::Cut(PONG.len() + 3));
    ping(&mut stream).unwrap();
    stream.write_all(PING).unwrap();
    assert_eq!(heard(&mut stream), (PONG[..3].to_vec(), None));
}

#[test]
fn what_is_delayed_or_trickles_arrives_whole_and_at_once_when_healed() {
    let (_server, proxy) = proxied();
    let mut stream = connect(&proxy);
    for direction in Direction::ALL {
        let began = Instant::now();
        proxy.inject(direction, Fault::Delay(SHORT));
        ping(&mut stream).unwrap();
        assert!(began.elapsed() >= SHORT);
        proxy.inject(direction, Fault::Trickle(SHORT / 10));
        ping(&mut stream).unwrap();
        assert!(began.elapsed() >= SHORT + SHORT / 10 * 6);

        proxy.inject(direction, Fault::Delay(Duration::from_hours(1)));
        stream.write_all(PING).unwrap();
        assert_eq!(heard(&mut stream), (vec![], Some(ErrorKind::WouldBlock)));
        proxy.heal();
        let mut answer = [0; PONG.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, PONG);
    }
}

#[test]
fn a_connection_that_lost_bytes_stays_dead_and_a_new_one_works() {
    for direction in Direction::ALL {
        let (_server, proxy) = proxied();
        let mut stream = connect(&proxy);
        ping(&mut stream).unwrap();
        proxy.inject(direction, Fault::Swallow);
        stream.write_all(PING).unwrap();
        assert_eq!(heard(&mut stream), (vec![], Some(ErrorKind::WouldBlock)));
        proxy.heal();
        stream.write_all(PING).unwrap();
        assert_eq!(heard(&mut stream), (vec![], Some(ErrorKind::WouldBlock)));
        ping(&mut connect(&proxy)).unwrap();
    }
}

#[test]
fn a_reset_is_an_rst_and_not_an_end() {
    for direction in Direction::ALL {
        let (_server, proxy) = proxied();
        let mut stream = connect(&proxy);
        ping(&mut stream).unwrap();
        proxy.inject(direction, Fault::Reset);
        assert_eq!(ping(&mut stream).unwrap_err().kind(), ErrorKind::ConnectionReset);
        proxy.heal();
        ping(&mut connect(&proxy)).unwrap();
    }
}

#[test]
fn dropping_the_proxy_ends_its_connections() {
    let (_server, proxy) = proxied();
    let mut stream = connect(&proxy);
    ping(&mut stream).unwrap();
    drop(proxy);
    assert!(ping(&mut stream).is_err());
}
