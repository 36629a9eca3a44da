//! Runs a command with `REDIS_URL` set to a server of its own: `with-redis cargo run --example quickstart`.

use std::{
    env,
    process::{Command, ExitCode},
};

use testkit::RedisServer;

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let Some(program) = args.next() else {
        eprintln!("with-redis: name the command to run");
        return ExitCode::from(2);
    };
    let server = RedisServer::start();
    let status = Command::new(&program)
        .args(args)
        .env("REDIS_URL", server.url())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("with-redis: {} ended with {status}", program.display());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("with-redis: {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
