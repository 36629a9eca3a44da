//! What the server itself can answer, by redis-benchmark over one connection: the limit of everybody.

use std::{process::Command, time::Duration};

use futures::FutureExt;
use testkit::RedisServer;

use super::keys;
use crate::{
    contender::Remote,
    measure::{Figure, joined},
    payload::Payload,
    race::{Connected, Lane},
};

/// As many commands ahead of their answers as others have tasks, on a key that `client` fills.
pub(crate) fn lane<P: Payload, R: Remote<P>>(
    server: &RedisServer,
    client: &Connected<R>,
    write: bool,
    tasks: usize,
) -> Lane {
    let port = server.port();
    Lane::on("redis-benchmark", client, async move |contender, client| {
        let key = keys(&contender).swap_remove(0);
        client.set(&key, &P::numbered(0)).await;
        let value = postcard::to_stdvec(&P::numbered(0)).expect("postcard takes every payload");
        // Its own arguments are C strings; any value of the length costs the same.
        let value = "x".repeat(value.len());
        move |time: Duration| {
            let command: Vec<String> = if write {
                ["SET", &key, &value, "PX", "3600000"].map(String::from).to_vec()
            } else {
                ["GET", &key].map(String::from).to_vec()
            };
            let calls = likely_calls(tasks, P::SIZE, time);
            let asking = tokio::task::spawn_blocking(move || rate(port, tasks, calls, &command));
            async { vec![Figure::new(joined(asking).await, "calls/s")] }.boxed()
        }
    })
    .whole()
}

/// About as many as are answered in `time`; it counts calls where everybody else counts time.
fn likely_calls(tasks: usize, size: &str, time: Duration) -> usize {
    let rate = match (tasks, size) {
        (0..16, _) => 20_000,
        (_, "100B") => 800_000,
        _ => 100_000,
    };
    rate * usize::try_from(time.as_millis()).unwrap_or(1_000) / 1_000
}

fn rate(port: u16, pipeline: usize, calls: usize, command: &[String]) -> f64 {
    let output = Command::new("redis-benchmark")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "1", "--csv"])
        .args(["-P", &pipeline.to_string(), "-n", &calls.max(pipeline).to_string()])
        .args(command)
        .output()
        .expect("redis-benchmark is installed beside redis-server");
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).unwrap_or_else(|| panic!("redis-benchmark answered {text:?}"))
}

/// The second field of the last line: `"GET key","123456.78","0.5",..`.
fn parse(csv: &str) -> Option<f64> {
    csv.lines().last()?.rsplit("\",\"").nth(6)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_behind_a_command_that_may_hold_commas() {
        let csv = "\"test\",\"rps\",\"avg\",\"min\",\"p50\",\"p95\",\"p99\",\"max\"\n\
                   \"SET a,b x\",\"45454.55\",\"0.021\",\"0.016\",\"0.023\",\"0.031\",\"0.063\",\"0.231\"\n";
        assert_eq!(parse(csv), Some(45454.55));
    }
}
