//! `cargo xtask`: installs what is missing, builds, tests, starts, shows and measures Tributary.
//!
//! Uses the standard library alone, so that the first command on a new machine is built in a second.

// Talking to the person at the terminal is what this program is for.
#![allow(clippy::print_stdout)]

mod annex;
mod bench;
mod build;
mod checkout;
mod demo;
mod failure;
mod front_end;
mod node;
mod packages;
mod process;
mod prosody;
mod run;
mod scene;
mod setup;
mod test;
mod toolchain;
mod warden;

use std::process::ExitCode;

use failure::Failure;

const USAGE: &str = "\
cargo xtask COMMAND

  setup [--bench]        installs what is missing to build, run and test (with --bench: the programs to compare with)
  run [--release] [ARGS] sets up, builds and starts Tributary
  test [--full] [STEP…]  sets up and runs every check; --full with the sizes that are too long for each push;
                         with STEPs only those (fmt, ui, clippy, rust, doctest, bindings, doc)
  demo [--once]          two computers and a transfer point in a temporary folder, and a file that travels between
                         them; --once ends when it has arrived
  bench [--runs N] [--limit SECONDS] [--only NAME] [ROW…]
                         measures us beside the programs that are installed
                         (one-file, ten-thousand, one-gib, rename, idle, start)

TRIBUTARY_SCRATCH names the folder for what demo and bench make (else /var/tmp); with TRIBUTARY_KEEP it stays.";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();
    let outcome = match command.as_deref() {
        Some("setup") => setup::command(&rest),
        Some("run") => run::command(&rest),
        Some("test") => test::command(&rest),
        Some("demo") => demo::command(&rest),
        Some("bench") => bench::command(&rest),
        Some(warden::COMMAND) => warden::keep_watch(),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(Failure::usage(format!("there is no command \"{other}\""))),
        None => Err(Failure::usage("which command?")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            if failure.is_usage() {
                eprintln!("\n{USAGE}");
                return ExitCode::from(2);
            }
            ExitCode::FAILURE
        }
    }
}
