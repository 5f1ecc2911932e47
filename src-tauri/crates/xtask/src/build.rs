//! Building the programs, always with the same features.
//!
//! Cargo builds a dependency again when the crates that it is asked for want other features of it, and the shell and the
//! engine's crates differ in those of serde, syn and some thirty more: asked for one after the other, nearly everything
//! is built twice. So there is one selection for building, linting and testing alike.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use crate::checkout;
use crate::failure::Result;
use crate::process;
use crate::toolchain::cargo;

/// Every crate; the shell with the windows inside, instead of with an address of a development server.
pub const EVERYTHING: &[&str] = &["--workspace", "--features", "tributary/custom-protocol"];

/// The programs that people start.
#[derive(Debug)]
pub struct Programs {
    /// The headless twin.
    pub trib: PathBuf,
    /// Tray and windows.
    pub shell: PathBuf,
}

/// Builds both programs. The front end must have been built.
pub fn programs(release: bool) -> Result<Programs> {
    build(
        &[EVERYTHING, &["--bin", "trib", "--bin", "git-remote-xmpp", "--bin", "tributary"]].concat(),
        release,
    )?;
    Ok(Programs { trib: checkout::built("trib", release), shell: checkout::built("tributary", release) })
}

/// Builds `trib` alone, for release: what is measured needs no window, and the shell takes minutes more.
pub fn trib_for_release() -> Result<PathBuf> {
    build(&["--package", "tributary-cli", "--bin", "trib"], true)?;
    Ok(checkout::built("trib", true))
}

/// In CI the lock file has to be the one of the commit; a developer's may be changing.
pub fn locked() -> &'static [&'static str] {
    if std::env::var_os("CI").is_some() { &["--locked"] } else { &[] }
}

fn build(selection: &[&str], release: bool) -> Result<()> {
    let mut command = cargo(&["build"]);
    // A person sees how far it is; a log has no use for a line for each of five hundred crates.
    if !std::io::stderr().is_terminal() {
        command.arg("--quiet");
    }
    command.args(locked()).args(selection).current_dir(checkout::root());
    if release {
        command.arg("--release");
    }
    process::run(&mut command)
}
