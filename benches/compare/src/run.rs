//! One run, from the arguments to the reports.

use std::{process::ExitCode, sync::Arc, time::Duration};

use testkit::RedisServer;
use tokio::{runtime::Builder, sync::OnceCell};

use crate::{
    arguments::{Arguments, USAGE},
    contenders::Remotes,
    lineup,
    plan::{self, Step},
    race::{Effort, Results, race},
    report,
    workloads::{flights, growth, outage, zipf},
};

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the machine has threads");
    if let [child, call, contender, url, size] = &words[..]
        && child == "--child"
    {
        let size = size.parse().expect("the parent passes a number");
        runtime.block_on(growth::child(call, contender, url, size));
        return ExitCode::SUCCESS;
    }
    let done = Arguments::parse(words)
        .and_then(|arguments| Ok((plan::steps(&arguments.filter)?, arguments)))
        .map_err(|error| format!("{error}\n{USAGE}"))
        .and_then(|(steps, arguments)| {
            let results = match &arguments.from {
                Some(path) => report::json::read(path)?,
                None => runtime.block_on(measure(&steps, &arguments))?,
            };
            report::all(&arguments, &results)
        });
    // A contender that never answers may have threads that never end.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(steps: &[Step], arguments: &Arguments) -> Result<Results, String> {
    let field = Field {
        server: RedisServer::start(),
        remotes: OnceCell::new(),
        trace: OnceCell::new(),
        effort: arguments.effort(),
    };
    let mut all = Results::default();
    for (n, step) in steps.iter().enumerate() {
        eprintln!("[{}/{}] {}", n + 1, steps.len(), step.name());
        let results = field.measure(*step).await;
        report::say(&results);
        all.append(results);
        // What was measured stays, however this run ends.
        if let Some(path) = &arguments.json {
            report::json::write(path, &all)?;
        }
    }
    Ok(all)
}

/// What workloads have in common, made for the first that needs it.
struct Field {
    server: RedisServer,
    remotes: OnceCell<Remotes>,
    trace: OnceCell<Arc<zipf::Trace>>,
    effort: Effort,
}

impl Field {
    async fn measure(&self, Step { workload, tasks }: Step) -> Results {
        let Self { server, effort, .. } = self;
        let rounds = effort.rounds;
        let lanes = match workload {
            "outage" => return Box::pin(outage::race(rounds)).await,
            "growth/flights" => return flights::measure(tasks, rounds).await,
            "growth/patterns" => return growth::patterns(server, tasks, rounds).await,
            "growth/get_many" => growth::batches(&server.url(), tasks).await,
            "local/hit" => lineup::hits(tasks),
            "local/zipf" => {
                let trace = self.trace.get_or_init(async || Arc::new(zipf::Trace::new())).await;
                lineup::mixes(tasks, trace)
            }
            _ => {
                let url = server.url();
                let remotes = self.remotes.get_or_init(|| Remotes::connect(&url)).await;
                lineup::remote(workload, tasks, server, remotes)
            }
        };
        let effort = piece(workload, tasks).map_or(*effort, |piece| effort.in_pieces(piece));
        race(workload, tasks, lanes, effort).await
    }
}

/// How long the pieces are that turns are taken in: as short as they can be.
fn piece(workload: &str, tasks: usize) -> Option<Duration> {
    let millis = match (workload, tasks) {
        // What the map holds goes on from turn to turn; or one step is longer than a piece.
        ("local/zipf" | "remember/stampede", _) => return None,
        _ if workload.starts_with("growth/") => return None,
        ("local/hit", _) => 40,
        (_, 1) => 5,
        // Many tasks take a while to begin and to end.
        (_, 2..64) => 30,
        _ => 100,
    };
    Some(Duration::from_millis(millis))
}
