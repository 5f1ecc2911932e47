//! The acceptance list: what git and git-annex have to say of a repository that we wrote.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::annex::{Annex, annex_versions};
use crate::process::Finished;

/// The first release that loses the bytes of a name that is not UTF-8 when it hands a file to `cp`: there `get` cannot
/// fill such a file. Seen in 10.20261026; 10.20230126 is right.
const LOSES_ODD_NAMES: u32 = 20_240_000;

/// What git and git-annex have to accept; made by [`Annex::judge`], carried out by [`check`](Judge::check).
#[derive(Debug)]
pub struct Judge<'a> {
    annex: &'a Annex,
    dir: &'a Path,
    remotes: Vec<String>,
    get: bool,
}

impl<'a> Judge<'a> {
    pub(crate) fn of(annex: &'a Annex, dir: &'a Path) -> Self {
        Judge { annex, dir, remotes: Vec::new(), get: false }
    }

    /// Also downloads and verifies every content from the remote NAME (`fsck --from`).
    pub fn from(mut self, remote: &str) -> Self {
        self.remotes.push(remote.to_owned());
        self
    }

    /// Also gets every content (`get .`): for a clone of git-annex's own that is to have all.
    ///
    /// Two things that git-annex itself gets wrong are then left out. Names that are not UTF-8 are fetched by an older
    /// release where the judging one cannot. And a name with a line break stays modified in `git status` after git-annex
    /// filled the file, so there the file is hashed again, and must be what the index names.
    pub fn get(mut self) -> Self {
        self.get = true;
        self
    }

    /// Runs `git fsck --strict`, `git annex fsck`, `fsck --from` each remote, `whereis`, `get .` and `status --short`;
    /// the last must print nothing. In a bare repository those that need a work tree are left out.
    ///
    /// Gives the number of annexed files that were judged, so that a test can see that it was not about nothing.
    ///
    /// # Panics
    ///
    /// With every verdict that is not clean.
    #[track_caller]
    pub fn check(self) -> usize {
        let bare = self.annex.git(self.dir, ["rev-parse", "--is-bare-repository"]) == "true";
        let mut bad = Vec::new();
        let mut hear = |verdict: Finished| {
            if !verdict.success() {
                bad.push(verdict.to_string());
            }
        };
        hear(self.annex.try_git(self.dir, ["fsck", "--strict", "--no-progress"]));
        if self.get && !bare {
            self.get_odd_names();
            hear(self.annex.try_annex(self.dir, ["get", "--quiet", "."]));
        }
        hear(self.annex.try_annex(self.dir, ["fsck", "--quiet"]));
        for remote in &self.remotes {
            hear(self.annex.try_annex(self.dir, ["fsck", "--quiet", "--from", remote]));
        }
        if !bare {
            hear(self.annex.try_annex(self.dir, ["whereis", "--quiet"]));
            let changed = self.changed();
            if !changed.is_empty() {
                bad.push(format!("git status --short is not empty:\n{}", changed.join("\n")));
            }
        }
        assert!(
            bad.is_empty(),
            "git-annex {} does not accept {}:\n{}",
            self.annex.version().name,
            self.dir.display(),
            bad.join("\n\n")
        );
        if bare { self.count(&["find", "--all"]) } else { self.count(&["find", "--include=*"]) }
    }

    fn count(&self, args: &[&str]) -> usize {
        let listed = self.annex.try_annex(self.dir, args.iter().chain(&["--format=${key}\n"])).ok();
        listed.stdout_bytes().iter().filter(|byte| **byte == b'\n').count()
    }

    /// Lets an older release get the files that this one cannot fill.
    fn get_odd_names(&self) {
        if self.annex.version().date() < LOSES_ODD_NAMES {
            return;
        }
        let listed = self.annex.try_git(self.dir, ["ls-files", "-z"]).ok();
        let odd =
            listed.stdout_bytes().split(|byte| *byte == 0).filter(|name| std::str::from_utf8(name).is_err());
        let odd: Vec<OsString> = odd.map(|name| OsStr::from_bytes(name).to_owned()).collect();
        let older = annex_versions().into_iter().find(|version| version.date() < LOSES_ODD_NAMES);
        if odd.is_empty() {
            return;
        }
        let older = older.expect("names that are not UTF-8 need a release of git-annex before 2024");
        let mut command = self.annex.sandbox().command(older.dir.join("git-annex"));
        command.current_dir(self.dir).args(["get", "--quiet", "--"]).args(odd);
        crate::run(command).ok();
    }

    /// Whether a file, through the filter, is what the index says. `git diff` would not do: it never asks the filter
    /// about an empty file, and finds its pointer gone.
    fn is_unchanged(&self, path: &[u8]) -> bool {
        let path = OsStr::from_bytes(path);
        let in_index = OsStr::from_bytes(&[b":", path.as_bytes()].concat()).to_owned();
        let here = self.annex.try_git(self.dir, [OsStr::new("hash-object"), OsStr::new("--"), path]);
        here.text() == self.annex.try_git(self.dir, [OsStr::new("rev-parse"), &in_index]).text()
    }

    /// What `git status --short` prints, without what git-annex's own filling leaves behind (see [`get`](Self::get)).
    fn changed(&self) -> Vec<String> {
        let listed = self.annex.try_git(self.dir, ["status", "--short", "-z"]).ok();
        let lines = listed.stdout_bytes().split(|byte| *byte == 0).filter(|line| !line.is_empty());
        let left_by_filling = |line: &&[u8]| {
            self.get && line.contains(&b'\n') && line.starts_with(b" M ") && self.is_unchanged(&line[3..])
        };
        lines
            .filter(|line| !left_by_filling(line))
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn sees_what_is_wrong() {
        for version in annex_versions() {
            let annex = Annex::new(&version);
            let dir = annex.sandbox().join("repo");
            annex.init(&dir, "judged");
            for name in ["a", "line\nbreak", "é"] {
                fs::write(dir.join(name), name).expect("write");
            }
            annex.annex(&dir, ["add", "."]);
            annex.git(&dir, ["commit", "-q", "-m", "files"]);
            assert_eq!(annex.judge(&dir).check(), 3, "three files are judged and clean");

            fs::write(dir.join("new"), "not added").expect("write");
            assert_refused(&annex, &dir, "?? new");
            fs::remove_file(dir.join("new")).expect("remove");

            let key = annex.annex(&dir, ["lookupkey", "a"]);
            annex.annex(&dir, ["drop", "--force", "a"]);
            annex.annex(&dir, ["setpresentkey", &key, &annex.git(&dir, ["config", "annex.uuid"]), "1"]);
            assert_refused(&annex, &dir, "fsck");
        }
    }

    fn assert_refused(annex: &Annex, dir: &Path, reason: &str) {
        let panic = catch_unwind(AssertUnwindSafe(|| annex.judge(dir).check())).expect_err("it is not clean");
        let message = panic.downcast_ref::<String>().expect("a formatted message");
        assert!(message.contains(reason), "{message}");
    }
}
