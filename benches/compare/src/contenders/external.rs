//! A contender in a process of its own, which `serve` answers for.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt;

use crate::measure::{Figure, Lane};

pub(crate) struct External {
    name: String,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Mutex<Child>,
}

impl External {
    /// Builds and starts the package in the folder `name`, and connects it to the server.
    pub(crate) fn start(name: &str, url: &str) -> Result<Self, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = here.join("target");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--quiet", "--locked", "--manifest-path"])
            .arg(here.join(name).join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status();
        if !built.is_ok_and(|status| status.success()) {
            return Err("it does not build".into());
        }
        let mut child = Command::new(target.join("release").join(format!("larder-compare-{name}")))
            // It refuses a server without TLS otherwise, loopback or not.
            .env("OXCACHE_ALLOW_INSECURE_REDIS", "I_UNDERSTAND_THE_RISKS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("it does not start: {error}"))?;
        let pipes = child.stdin.take().zip(child.stdout.take()).expect("both are piped");
        let external = Self {
            name: name.into(),
            pipes: Mutex::new((pipes.0, BufReader::new(pipes.1))),
            child: Mutex::new(child),
        };
        external.ask(&format!("open {url}"))?;
        Ok(external)
    }

    /// Sends a line and waits for the figures that answer it.
    pub(crate) fn ask(&self, line: &str) -> Result<Vec<Figure>, String> {
        let mut pipes = self.pipes.lock().expect("nobody panics while it asks");
        writeln!(pipes.0, "{line}").map_err(|error| format!("{line}: {error}"))?;
        let mut answer = String::new();
        pipes
            .1
            .read_line(&mut answer)
            .map_err(|error| format!("{line}: {error}"))?;
        serde_json::from_str(&answer).map_err(|error| format!("{line}: {error}"))
    }

    /// [`ask`](Self::ask) that may be given up, which ends the process.
    pub(crate) async fn ask_or_end(self: &Arc<Self>, line: &'static str) -> Result<Vec<Figure>, String> {
        let given_up = GivenUp(Some(self));
        let external = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || external.ask(line)).await;
        given_up.not();
        answer.unwrap_or_else(|panic| Err(panic.to_string()))
    }

    fn end(&self) {
        if let Ok(mut child) = self.child.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(crate) fn lane(self: &Arc<Self>, workload: &str, tasks: usize) -> Lane {
        let (external, workload) = (Arc::clone(self), workload.to_owned());
        Lane {
            contender: self.name.clone(),
            turn: Box::new(move |time: Duration| {
                let (external, line) = (
                    Arc::clone(&external),
                    format!("turn {workload} {tasks} {}", time.as_secs_f64()),
                );
                let asking = tokio::task::spawn_blocking(move || external.ask(&line).expect("the contender answers"));
                async { asking.await.expect("the contender answers") }.boxed()
            }),
        }
    }
}

/// Ends the process of a question that is not waited for, whose thread would wait for ever.
struct GivenUp<'a>(Option<&'a External>);

impl GivenUp<'_> {
    fn not(mut self) {
        self.0 = None;
    }
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if let Some(external) = self.0 {
            external.end();
        }
    }
}

impl Drop for External {
    fn drop(&mut self) {
        self.end();
    }
}
