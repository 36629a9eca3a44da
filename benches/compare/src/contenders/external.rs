//! A contender in a process of its own, which `serve` answers for.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::FutureExt;

use crate::{
    measure::{Figure, joined},
    race::{Connected, Lane, Turn},
};

/// A contender that is built.
pub(crate) struct Program(PathBuf);

impl Program {
    /// Builds the package in the folder `name`.
    pub(crate) fn build(name: &str) -> Result<Self, String> {
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
        Ok(Self(target.join("release").join(format!("larder-compare-{name}"))))
    }

    /// A process that is connected to the server.
    pub(crate) fn start(&self, url: &str) -> Result<Arc<External>, String> {
        let mut child = Command::new(&self.0)
            // It refuses a server without TLS otherwise, loopback or not.
            .env("OXCACHE_ALLOW_INSECURE_REDIS", "I_UNDERSTAND_THE_RISKS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("it does not start: {error}"))?;
        let pipes = child.stdin.take().zip(child.stdout.take()).expect("both are piped");
        let external = External {
            pipes: Mutex::new((pipes.0, BufReader::new(pipes.1))),
            child: Mutex::new(child),
        };
        external.ask(&format!("open {url}"))?;
        Ok(Arc::new(external))
    }
}

pub(crate) struct External {
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Mutex<Child>,
}

impl External {
    /// Sends a line and waits for the figures that answer it.
    fn ask(&self, line: &str) -> Result<Vec<Figure>, String> {
        let told = |error: &dyn std::fmt::Display| format!("{line}: {error}");
        let mut pipes = self.pipes.lock().map_err(|error| told(&error))?;
        writeln!(pipes.0, "{line}").map_err(|error| told(&error))?;
        let mut answer = String::new();
        pipes.1.read_line(&mut answer).map_err(|error| told(&error))?;
        if answer.is_empty() {
            return Err(told(&"its process ended"));
        }
        serde_json::from_str(&answer).map_err(|error| told(&error))
    }

    /// Asks and may be given up, which ends the process.
    pub(crate) async fn ask_or_end(self: &Arc<Self>, line: String) -> Result<Vec<Figure>, String> {
        let given_up = GivenUp(Some(self));
        let external = Arc::clone(self);
        let answer = joined(tokio::task::spawn_blocking(move || external.ask(&line))).await;
        given_up.not();
        answer
    }

    fn end(&self) {
        if let Ok(mut child) = self.child.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A process for this workload alone, so that one that ends takes no other workload with it.
pub(crate) fn lane(contender: &str, program: &Connected<Program>, url: &str, workload: &str, tasks: usize) -> Lane {
    let (program, url) = (program.clone(), url.to_owned());
    let request = format!("turn {workload} {tasks}");
    Lane::new(contender, async move {
        let external = program?.start(&url)?;
        let turn: Turn = Box::new(move |time: Duration| {
            let (external, line) = (Arc::clone(&external), format!("{request} {}", time.as_secs_f64()));
            async move {
                let figures = external.ask_or_end(line).await;
                figures.unwrap_or_else(|failed| panic!("{failed}"))
            }
            .boxed()
        });
        Ok(turn)
    })
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
