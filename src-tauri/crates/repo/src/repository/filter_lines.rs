//! `filter.annex.*` and the attribute that sends files through it: always to a program that exists.
//!
//! With a filter configured and its program missing, `git add` would put whole contents into git.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use git2::ErrorCode;

/// Standard lines, as git-annex itself writes them.
const GIT_ANNEX: [(&str, &str); 3] = [
    ("filter.annex.smudge", "git-annex smudge -- %f"),
    ("filter.annex.clean", "git-annex smudge --clean -- %f"),
    ("filter.annex.process", "git-annex filter-process"),
];

/// Ours only: when the program fails, `git add` fails too instead of taking the content into git.
const REQUIRED: &str = "filter.annex.required";

/// The line of `info/attributes`.
const ATTRIBUTE: &str = "* filter=annex";

/// Configures git-annex's filter when it is on PATH, else ours, else none.
pub(super) fn configure(
    git: &git2::Repository,
    git_annex: bool,
    ours: Option<&str>,
) -> Result<(), git2::Error> {
    let mut config = git.config()?.open_level(git2::ConfigLevel::Local)?;
    if git_annex {
        for (name, value) in GIT_ANNEX {
            set(&mut config, name, value)?;
        }
        return unset(&mut config, REQUIRED);
    }
    unset(&mut config, "filter.annex.smudge")?;
    unset(&mut config, "filter.annex.clean")?;
    match ours {
        Some(command) => {
            set(&mut config, "filter.annex.process", command)?;
            set(&mut config, REQUIRED, "true")
        }
        None => {
            unset(&mut config, "filter.annex.process")?;
            unset(&mut config, REQUIRED)
        }
    }
}

/// Adds the attribute to `info/attributes`, keeping what a person wrote there.
pub(super) fn add_attribute(git_dir: &Path) -> io::Result<()> {
    let path = git_dir.join("info/attributes");
    let before = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    if before.split(|&b| b == b'\n').any(|line| line == ATTRIBUTE.as_bytes()) {
        return Ok(());
    }
    fs::create_dir_all(git_dir.join("info"))?;
    // The empty line first, so that a last line without newline stays a line.
    let text = [&before, format!("\n{ATTRIBUTE}\n").as_bytes()].concat();
    let mut file = tempfile::NamedTempFile::new_in(git_dir)?;
    io::Write::write_all(&mut file, &text)?;
    file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(&path)?;
    Ok(())
}

/// Whether a program of this name can be started.
pub(super) fn is_on_path(program: &str) -> bool {
    let executable = |path: &Path| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH");
    let folders = std::env::split_paths(path.as_deref().unwrap_or(OsStr::new("")));
    folders.into_iter().any(|folder| executable(&folder.join(program)))
}

/// Writes only what changes: each write rewrites the file.
fn set(config: &mut git2::Config, name: &str, value: &str) -> Result<(), git2::Error> {
    if config.get_string(name).is_ok_and(|now| now == value) {
        return Ok(());
    }
    config.set_str(name, value)
}

fn unset(config: &mut git2::Config, name: &str) -> Result<(), git2::Error> {
    match config.remove(name) {
        Err(error) if error.code() != ErrorCode::NotFound => Err(error),
        _ => Ok(()),
    }
}
