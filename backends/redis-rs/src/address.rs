//! Connecting to a name that has several addresses.

use std::{io, net::SocketAddr, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use larder_redis_common::Host;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

/// How long an address has to itself before the next is tried besides: one that hangs must not take up the whole connect
/// timeout.
const HEAD_START: Duration = Duration::from_millis(50);

/// Connects to the first address of a host that lets it.
pub(crate) async fn connect(host: &Host) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = lookup_host((host.name.as_str(), host.port)).await?.collect();
    first_of(addresses).await
}

async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    let mut untried = addresses.into_iter();
    let mut tries = FuturesUnordered::new();
    loop {
        tries.extend(untried.next().map(TcpStream::connect));
        let answer = if untried.len() == 0 {
            Ok(tries.next().await)
        } else {
            timeout(HEAD_START, tries.next()).await
        };
        match answer {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(found))) => failure = found,
            Ok(None) => return Err(failure),
            // The next is tried, and those before it go on.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    fn block_on<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(test)
    }

    /// An address at which connecting hangs: nobody takes in those who wait, and there is no room for more.
    async fn hanging() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = timeout(2 * HEAD_START, TcpStream::connect(address)).await {
            waiting.push(stream.unwrap());
            assert!(waiting.len() < 10, "there is always room for one more");
        }
        (listener, waiting, address)
    }

    #[test]
    fn an_address_that_hangs_does_not_keep_from_the_next() {
        block_on(async {
            let (_listener, _waiting, dead) = hanging().await;
            let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = alive.local_addr().unwrap();
            // The default connect timeout, in which there is a greeting too.
            let limit = larder_redis_common::RedisConfig::DEFAULT_CONNECT_TIMEOUT;
            for addresses in [vec![dead, address], vec![dead, dead, address], vec![address, dead]] {
                let stream = timeout(limit, first_of(addresses))
                    .await
                    .expect("it is in time")
                    .unwrap();
                assert_eq!(stream.peer_addr().unwrap(), address);
            }
        });
    }

    #[test]
    fn an_address_that_refuses_leaves_its_turn_to_the_next_and_the_last_refusal_is_told() {
        block_on(async {
            let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = alive.local_addr().unwrap();
            let stream = first_of(vec![gone, gone, address]).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
            let refused = first_of(vec![gone, gone]).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            assert_eq!(first_of(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
        });
    }
}
