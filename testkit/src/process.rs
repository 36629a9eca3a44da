//! Starting a server process and never leaving it behind.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, id},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::process::{Pid, Signal, kill_process};

/// A running child with its output in a file.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` in `dir`, its output appended to `log`.
    ///
    /// # Panics
    ///
    /// Where the program is not installed, with `install` in the message, or can not be started.
    pub(crate) fn start(program: &str, args: &[String], dir: &Path, log: &Path, install: &str) -> Self {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let errors = output
            .try_clone()
            .unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let child = Command::new(program)
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => panic!("{program} is not installed: {install}"),
                _ => panic!("{program} could not be started: {error}"),
            });
        Self {
            child,
            log: log.to_owned(),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops the process where it stands, its sockets open: peers see a server that says nothing.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal)
            .unwrap_or_else(|error| panic!("process {}: {error}", self.id()));
    }

    pub(crate) fn has_exited(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// The last `lines` lines of the log.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback port that was free a moment ago.
///
/// # Panics
///
/// Where the machine has none.
pub(crate) fn free_port() -> u16 {
    static DRAWN: AtomicU32 = AtomicU32::new(0);
    (0..PORTS)
        .map(|_| {
            // Processes begin at other places, and none draws a port twice.
            let drawn = DRAWN
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_add(id().wrapping_mul(509));
            FIRST_PORT + u16::try_from(drawn % PORTS).expect("there are not so many ports")
        })
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .unwrap_or_else(|| panic!("no free port on 127.0.0.1 from {FIRST_PORT} on"))
}

/// Ports below those that systems give to connections: one of these would take a port between its choice and its use, and
/// that of a cluster's bus is chosen long before.
const FIRST_PORT: u16 = 10_000;
const PORTS: u32 = 22_000;
