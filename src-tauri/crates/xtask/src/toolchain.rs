//! The parts of the Rust toolchain that the checks use.

use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process::{self, answers_with, program};

/// The cargo that runs us, so that every step uses the same toolchain.
pub fn cargo(arguments: &[&str]) -> Command {
    program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), arguments)
}

/// rustfmt and clippy, which a minimal toolchain lacks.
pub fn components() -> Result<()> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if cargo_answers(&[subcommand, "--version"]) {
            continue;
        }
        if !answers_with("rustup", &["--version"]) {
            return Err(Failure::new(format!("this Rust toolchain lacks {component}"))
                .hint(format!("install {component} in the way this toolchain was installed")));
        }
        println!("Installing {component} (rustup component add).");
        process::run(&mut program("rustup", ["component", "add", component]))?;
    }
    Ok(())
}

/// Whether cargo-nextest is there. It runs the tests of several crates at once and ends those that hang; without it
/// `cargo test` does, one crate after the other.
pub fn has_nextest() -> bool {
    cargo_answers(&["nextest", "--version"])
}

fn cargo_answers(arguments: &[&str]) -> bool {
    process::output(&mut cargo(arguments)).is_ok()
}
