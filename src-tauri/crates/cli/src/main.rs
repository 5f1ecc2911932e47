//! `trib`: the headless twin of the desktop program, and its command line.
//!
//! Every command prints one sentence, or with `--json` one JSON value and nothing else on stdout. Exit 0: done;
//! 1: failed, with what happened, why and what to do on stderr; 2: wrong usage. Commands talk to the running engine
//! over its local socket and start none; `trib daemon` is the engine.

mod arguments;
mod ask;
mod daemon;
mod filter;
mod git_helper;
mod login;
mod pairing;
mod show;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Verb};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // git starts this one thousands of times: it needs no runtime.
    if let Verb::FilterProcess = arguments.verb {
        return filter::run();
    }
    tributary_engine::memory::limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("tributary").build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("trib: the program could not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match arguments.verb {
            Verb::Daemon => daemon::run().await,
            verb => ask::run(verb, arguments.json).await,
        }
    });
    // A blocking call that hangs on a dead place must not keep the process.
    runtime.shutdown_background();
    done
}
