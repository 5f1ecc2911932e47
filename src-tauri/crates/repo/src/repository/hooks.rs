//! Hooks for plain `git commit`, `git checkout` and `git merge`, where git-annex is installed.
//!
//! libgit2 runs none of them. Each asks whether git-annex is there at that moment, since a hook that fails blocks the
//! person's git once git-annex was removed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Hook, and what git-annex does in it.
const HOOKS: [(&str, &str); 4] = [
    ("pre-commit", "git annex pre-commit ."),
    ("post-checkout", "git annex smudge --update"),
    ("post-merge", "git annex smudge --update"),
    ("post-receive", "git annex post-receive"),
];

/// Writes the hooks that are not there yet.
pub(super) fn install(git_dir: &Path) -> io::Result<()> {
    let dir = git_dir.join("hooks");
    fs::create_dir_all(&dir)?;
    for (name, command) in HOOKS {
        let script = format!("#!/bin/sh\nif command -v git-annex >/dev/null; then {command}; fi\n");
        match OpenOptions::new().write(true).create_new(true).mode(0o755).open(dir.join(name)) {
            Ok(mut file) => file.write_all(script.as_bytes())?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
