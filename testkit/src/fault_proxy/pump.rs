//! What is done to the bytes of one connection.

use std::{io, time::Duration};

use tokio::{net::TcpStream, sync::watch, time::sleep};

use super::{Control, Direction, Fault};

type Watched = watch::Receiver<Control>;

enum End {
    Closed,
    Reset,
}

/// Relays both ways until one of them ends, which ends the other.
pub(super) async fn relay(near: &TcpStream, far: &TcpStream, control: &Watched) {
    let _ = far.set_nodelay(true);
    let end = tokio::select! {
        end = pump(near, far, Direction::ToServer, control.clone()) => end,
        end = pump(far, near, Direction::ToClient, control.clone()) => end,
    };
    if let End::Reset = end {
        let _ = near.set_zero_linger();
        let _ = far.set_zero_linger();
    }
}

async fn pump(from: &TcpStream, to: &TcpStream, direction: Direction, mut control: Watched) -> End {
    let mut buffer = vec![0; 64 * 1024];
    let mut cut = Cut::default();
    let mut hole = false;
    loop {
        let Ok(read @ 1..) = read(from, &mut buffer).await else {
            return End::Closed;
        };
        let bytes = &buffer[..read];
        let now = *control.borrow_and_update();
        let relayed = match now.fault(direction) {
            _ if hole => Ok(()),
            None => write(to, bytes).await,
            Some(Fault::Swallow) => {
                hole = true;
                Ok(())
            }
            Some(Fault::Reset) => return End::Reset,
            Some(Fault::Cut(after)) => {
                let left = cut.left(after, now.change);
                let passed = write(to, &bytes[..read.min(left)]).await;
                if read >= left {
                    return End::Closed;
                }
                cut.passed += read;
                passed
            }
            Some(Fault::Delay(span)) => {
                until_changed(span, &mut control).await;
                write(to, bytes).await
            }
            Some(Fault::Trickle(span)) => trickle(to, bytes, span, &mut control).await,
        };
        if relayed.is_err() {
            return End::Closed;
        }
    }
}

/// How far a connection is from its cut.
#[derive(Default)]
struct Cut {
    change: u64,
    passed: usize,
}

impl Cut {
    fn left(&mut self, after: usize, change: u64) -> usize {
        if self.change != change {
            *self = Self { change, passed: 0 };
        }
        after - self.passed
    }
}

/// Writes byte by byte, and all that is left at once as soon as anything changes.
async fn trickle(to: &TcpStream, bytes: &[u8], span: Duration, control: &mut Watched) -> io::Result<()> {
    for (place, byte) in bytes.iter().enumerate() {
        if until_changed(span, control).await {
            return write(to, &bytes[place..]).await;
        }
        write(to, std::slice::from_ref(byte)).await?;
    }
    Ok(())
}

/// Waits for `span`, or for a change: then it answers `true`.
async fn until_changed(span: Duration, control: &mut Watched) -> bool {
    tokio::select! {
        () = sleep(span) => false,
        _ = control.changed() => true,
    }
}

async fn read(from: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        from.readable().await?;
        match from.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

async fn write(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            written => bytes = &bytes[written?..],
        }
    }
    Ok(())
}
