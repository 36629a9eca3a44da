//! What a test of an outage measures besides its calls.

use std::{
    env, fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tokio::time::sleep;

const ALONE: &str = "LARDER_SUITE_ALONE";

/// How long the timer is set whose lateness is measured.
const TICK: Duration = Duration::from_millis(10);

/// Runs a test in a process of its own, where it runs among others: their memory is not what is measured.
///
/// # Panics
///
/// Where the test does.
pub fn alone(test: impl FnOnce()) {
    let thread = thread::current();
    let name = match thread.name() {
        Some(name) if name != "main" && env::var_os(ALONE).is_none() => name,
        _ => return test(),
    };
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{name} failed by itself: {}", output.status);
}

/// The memory this process has in use, in bytes, where the system tells.
#[must_use]
pub fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes * 1_024)
}

/// The number of threads of this process, where the system tells.
pub(crate) fn threads() -> Option<usize> {
    Some(fs::read_dir("/proc/self/task").ok()?.count())
}

/// How late a timer of this runtime is by itself until `is_over`: what no call can be better than.
pub async fn lateness(is_over: impl Fn() -> bool) -> Duration {
    let mut worst = Duration::ZERO;
    while !is_over() {
        let began = Instant::now();
        sleep(TICK).await;
        worst = worst.max(began.elapsed().saturating_sub(TICK));
    }
    worst
}
