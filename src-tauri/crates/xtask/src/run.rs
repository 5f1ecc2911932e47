//! `cargo xtask run`: from a fresh checkout to the window.

use crate::failure::Result;
use crate::{build, process, setup};

/// Sets up, builds and starts the shell; what is not `--release` goes to the program.
pub fn command(arguments: &[String]) -> Result<()> {
    let release = arguments.first().is_some_and(|first| first == "--release");
    let arguments = if release { &arguments[1..] } else { arguments };
    setup::for_run()?;
    println!("Building Tributary (the first time takes minutes).");
    // Both: the shell looks for its headless twin beside itself, since the git filters of a folder call it.
    let shell = build::programs(release)?.shell;
    println!("Starting {}.", shell.display());
    process::run(&mut process::program(shell, arguments))
}
