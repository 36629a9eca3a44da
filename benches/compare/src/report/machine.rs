//! What was measured on, and with which versions. Never a host's name nor a path.

use std::{fs, path::Path, process::Command};

/// The processor and how many cores of it there are, the memory and the kernel.
pub(crate) fn hardware() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes: Option<f64> = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    let gibibytes = kibibytes.map_or("unknown".into(), |kibibytes| {
        format!("{:.0} GiB", kibibytes / 1_048_576.0)
    });
    format!(
        "{cores} cores, {}, {gibibytes} of memory, {}.",
        model.unwrap_or("processor unknown").trim(),
        said(Command::new("uname").arg("-sr"))
    )
}

/// Today, by UTC.
pub(crate) fn today() -> String {
    said(Command::new("date").args(["-u", "+%Y-%m-%d"]))
}

/// The day a file was written, by UTC.
pub(crate) fn day_of(path: &Path) -> String {
    said(Command::new("date").args(["-u", "+%Y-%m-%d", "-r"]).arg(path))
}

/// The compiler, the server and everybody in the lock files.
pub(crate) fn versions() -> Vec<String> {
    let mut versions = vec![said(Command::new("rustc").arg("--version")), server()];
    let locked = [
        include_str!("../../Cargo.lock"),
        include_str!("../../oxcache/Cargo.lock"),
    ];
    let names = [
        "larder",
        "larder-fred",
        "larder-redis-rs",
        "larder-local",
        "fred",
        "redis",
        "cached",
        "cachet",
        "foyer",
        "hitbox",
        "hitbox-fn",
        "hitbox-redis",
        "hitbox-moka",
        "moka",
        "multi-tier-cache",
        "quick_cache",
        "tokio",
        "postcard",
    ];
    versions.extend(names.iter().filter_map(|name| version(locked[0], name)));
    versions.extend(version(locked[1], "oxcache"));
    versions
}

fn server() -> String {
    // `Redis server v=7.0.15 sha=..`
    let said = said(Command::new("redis-server").arg("--version"));
    let version = said.split_whitespace().find_map(|word| word.strip_prefix("v="));
    format!("redis-server {}", version.unwrap_or("unknown"))
}

/// The highest version of `name`, as others may pull in older ones.
fn version(lock: &str, name: &str) -> Option<String> {
    let quoted = format!("name = \"{name}\"");
    let mut lines = lock.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line == quoted {
            found.extend(
                lines
                    .next()
                    .and_then(|line| line.strip_prefix("version = "))
                    .map(|v| v.trim_matches('"')),
            );
        }
    }
    found.sort_by_key(|version| {
        version
            .split(['.', '-'])
            .map(|part| part.parse().unwrap_or(0))
            .collect::<Vec<u32>>()
    });
    found.last().map(|version| format!("{name} {version}"))
}

fn said(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    output.unwrap_or_else(|_| "unknown".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_lock_files() {
        let versions = versions();
        assert!(
            versions.iter().any(|version| version.starts_with("oxcache 0.4")),
            "{versions:?}"
        );
        assert!(
            versions.iter().any(|version| version.starts_with("redis 1.")),
            "{versions:?}"
        );
        assert!(
            versions.iter().any(|version| version.starts_with("quick_cache 0.7")),
            "{versions:?}"
        );
    }
}
