//! Building the programs, always with the same features.
//!
//! Cargo builds a dependency again when the crates it is asked for want other features of it. So there are exactly two
//! selections, used for building, linting and testing alike: everything without a window, and the shell.

use std::path::PathBuf;

use crate::checkout;
use crate::failure::Result;
use crate::process;
use crate::toolchain::cargo;

/// Every crate but the shell: needs no GTK.
pub const WINDOWLESS: &[&str] = &["--workspace", "--exclude", "tributary"];

/// The shell, with the windows inside instead of an address of a development server.
pub const SHELL: &[&str] = &["--package", "tributary", "--features", "custom-protocol"];

/// Builds `trib` and gives its path.
pub fn trib(release: bool) -> Result<PathBuf> {
    build(&[WINDOWLESS, &["--bin", "trib"]].concat(), release)?;
    Ok(checkout::built("trib", release))
}

/// Builds the shell and gives its path. The front end must have been built.
pub fn shell(release: bool) -> Result<PathBuf> {
    build(SHELL, release)?;
    Ok(checkout::built("tributary", release))
}

/// In CI the lock file has to be the one of the commit; a developer's may be changing.
pub fn locked() -> &'static [&'static str] {
    if std::env::var_os("CI").is_some() { &["--locked"] } else { &[] }
}

fn build(selection: &[&str], release: bool) -> Result<()> {
    let mut command = cargo(&["build", "--quiet"]);
    command.args(locked()).args(selection).current_dir(checkout::root());
    if release {
        command.arg("--release");
    }
    process::run(&mut command)
}
