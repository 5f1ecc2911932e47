//! The newest git-annex and an XMPP client from PyPI, in a virtual environment under the cache.
//!
//! The tests judge us with two releases of git-annex: the system's, and this one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkout;
use crate::failure::{Context, Failure, Result};
use crate::process::{self, program};

/// What is installed: exact versions, so that a new release upstream cannot turn a test red by itself.
const REQUIREMENTS: &[&str] = &["git-annex==10.20261026", "slixmpp==1.17.0"];

/// Written last, with what was installed.
const STAMP: &str = "tributary-requirements";

/// Installs what is missing and gives the folder that holds `git-annex`.
///
/// A folder in `TRIBUTARY_ANNEX_NEW` is taken as it is: on a machine without PyPI, or to try another release.
pub fn install() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("TRIBUTARY_ANNEX_NEW").filter(|folder| !folder.is_empty()) {
        let given = PathBuf::from(given);
        return if given.join("git-annex").is_file() {
            Ok(given)
        } else {
            Err(Failure::new(format!(
                "TRIBUTARY_ANNEX_NEW names {}, which holds no git-annex",
                given.display()
            )))
        };
    }
    let home = checkout::cache().join("annex");
    let wanted = REQUIREMENTS.join("\n");
    let installed = fs::read_to_string(home.join(STAMP)).is_ok_and(|stamp| stamp == wanted);
    if !(installed && works(&home)) {
        println!("Installing {} from PyPI into {}.", REQUIREMENTS.join(" and "), home.display());
        make(&home)?;
        fs::write(home.join(STAMP), wanted).context(|| format!("could not write to {}", home.display()))?;
    }
    Ok(home.join("bin"))
}

fn make(home: &Path) -> Result<()> {
    // Debian's python3 before any other: python3-venv belongs to it.
    let python = ["/usr/bin/python3", "python3"]
        .into_iter()
        .find(|python| process::answers_with(python, &["-c", "import venv, ensurepip"]))
        .ok_or_else(|| {
            Failure::new("no python3 with venv was found").hint("Debian: apt install python3-venv")
        })?;
    // --clear: half an environment, or one of a Python that is gone, is of no use.
    process::run(program(python, ["-m", "venv", "--clear"]).arg(home))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    process::run(program(home.join("bin/python3"), pip).args(REQUIREMENTS))?;
    if works(home) {
        return Ok(());
    }
    Err(Failure::new(format!("the git-annex in {} does not start", home.display())))
}

fn works(home: &Path) -> bool {
    process::output(&mut program(home.join("bin/git-annex"), ["version", "--raw"])).is_ok()
}
