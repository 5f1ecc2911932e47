//! The windows: Node, its packages, and the build that the shell embeds.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use crate::checkout;
use crate::failure::{Context, Failure, Result};
use crate::packages;
use crate::process::{self, answers_with, program};

/// The oldest Node that the front end's packages run on (Debian 12 has 18.20).
const OLDEST_NODE: u32 = 18;

/// Installs what `npm` has to fetch and builds the windows, each only when it is older than its sources.
pub fn build() -> Result<()> {
    install()?;
    let ui = checkout::front_end();
    let built = modified(&ui.join("dist/index.html"))?;
    if built.is_some() && built >= newest_source(&ui)? {
        return Ok(());
    }
    println!("Building the windows.");
    process::run(npm(&["run", "--silent", "build", "--", "--logLevel", "warn"]).current_dir(&ui))
}

/// Node and the front end's packages.
pub fn install() -> Result<()> {
    node()?;
    let ui = checkout::front_end();
    let wanted = modified(&ui.join("package-lock.json"))?
        .ok_or_else(|| Failure::new("ui/package-lock.json is missing from the checkout"))?;
    // npm writes this file last.
    if modified(&ui.join("node_modules/.package-lock.json"))?.is_some_and(|installed| installed >= wanted) {
        return Ok(());
    }
    println!("Installing the front end's packages, as its lock file has them.");
    // Not `npm ci`: it fails when the lock file lacks a native package of some other platform, as it does when it was
    // made against a mirror that does not have them all. The lock file is obeyed and left alone here too.
    process::run(npm(&["install", "--no-save", "--no-audit", "--no-fund"]).current_dir(&ui))
}

/// `npm` with these arguments.
pub fn npm(arguments: &[&str]) -> Command {
    program("npm", arguments)
}

/// Sees to Node: Debian's where there is none. One from elsewhere is kept, also because Debian's npm conflicts with it.
fn node() -> Result<()> {
    if !(answers_with("node", &["--version"]) && answers_with("npm", &["--version"])) {
        packages::install(packages::NODE)?;
    }
    let version = process::output(&mut program("node", ["--version"]))
        .map_err(|failure| failure.hint(format!("the windows are built with Node {OLDEST_NODE} or newer")))?;
    match major(&version) {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(Failure::new(format!("Node {} is too old", version.trim()))
            .hint(format!("the windows are built with Node {OLDEST_NODE} or newer"))),
    }
}

fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The time of the last change below `folder`, without what is fetched and what is built. Folders count as well: theirs
/// changes when a file is removed.
fn newest_source(folder: &Path) -> Result<Option<SystemTime>> {
    let mut newest = None;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).context(|| format!("could not read {}", folder.display()))?;
        for entry in entries {
            let entry = entry.context(|| format!("could not read {}", folder.display()))?;
            let name = entry.file_name();
            if name == "node_modules" || name == "dist" || name == "dist-mock" {
                continue;
            }
            newest = newest.max(modified(&entry.path())?);
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            }
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> Result<Option<SystemTime>> {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(time) => Ok(Some(time)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(|| format!("could not look at {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(major("v18.20.4\n"), Some(18));
        assert_eq!(major("18.20.4"), None);
        assert_eq!(major(""), None);
    }
}
