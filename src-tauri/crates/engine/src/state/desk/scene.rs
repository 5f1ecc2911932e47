//! A desk to test at: a repository in a folder of its own, with what others and we commit there.

use tributary_repo::commit::{self, TreeChange};
use tributary_repo::object_batch::ObjectBatch;
use tributary_repo::repository::Setup;
use tributary_testkit::{Sandbox, run};

use super::*;

/// A desk in a repository.
pub(crate) struct Scene {
    pub(crate) desk: Desk,
    pub(crate) machine: Sandbox,
}

/// A key.
pub(crate) fn key(n: u32) -> Key {
    Key::parse(format!("SHA256-s{n}--{n:064x}").as_bytes()).expect("a good key")
}

/// A path.
pub(crate) fn path(name: &str) -> TreePath {
    TreePath::new(name).expect("a good path")
}

/// Runs `git ARGS…` in the folder, by hand.
pub(crate) fn git(machine: &Sandbox, args: &[&str]) -> String {
    let mut command = machine.command("git");
    command.current_dir(machine.join("folder")).args(args);
    run(command).text()
}

/// The paths of the branch.
pub(crate) fn branch(machine: &Sandbox) -> Vec<String> {
    git(machine, &["ls-tree", "-r", "--name-only", "HEAD"]).lines().map(str::to_owned).collect()
}

impl Scene {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let machine = Sandbox::new();
        let dir = machine.dir("folder");
        let setup = Setup { description: "test".into(), filter_process: None, look_for_git_annex: false };
        Repository::create(&dir, &setup).expect("a new repository");
        Self { desk: Desk::open(&dir).expect("the desk opens"), machine }
    }

    /// Merges a commit that others made.
    pub(crate) fn merge(&mut self, changes: &[(&str, Option<Key>)]) {
        let desk = &mut self.desk;
        let mut batch = ObjectBatch::new();
        let changes: Vec<_> = changes
            .iter()
            .map(|(name, key)| TreeChange {
                path: path(name),
                entry: key
                    .as_ref()
                    .map(|key| commit::pointer_entry(&mut batch, key, false).expect("a pointer")),
            })
            .collect();
        let author = desk.repo.author();
        let made =
            commit::commit_changes(desk.repo.git(), &mut batch, desk.head, &changes, "theirs", &author);
        let made = made.expect("a commit").expect("something changed");
        let (deltas, _) = desk.follow(made.commit).expect("the ledger follows");
        desk.arrive(&deltas).expect("the index follows");
    }

    /// Commits a file of the folder as the committer does; git's index file lags behind.
    pub(crate) fn commit(&mut self, name: &str, version: u32) {
        let desk = &mut self.desk;
        std::fs::write(desk.repo.work_dir().join(name), "x".repeat(version as usize)).expect("write");
        let mut batch = ObjectBatch::new();
        let entry = commit::pointer_entry(&mut batch, &key(version), false).expect("a pointer");
        let change = TreeChange { path: path(name), entry: Some(entry) };
        let author = desk.repo.author();
        let made = commit::commit_changes(desk.repo.git(), &mut batch, desk.head, &[change], "ours", &author);
        desk.follow(made.expect("a commit").expect("something changed").commit).expect("the ledger follows");
        let stat = desk.work.stat(&path(name)).expect("stat").expect("it stands there");
        desk.index.set(name.as_bytes(), IndexEntry::placed(entry, &stat));
    }

    /// Runs `git ARGS…` in the folder, by hand.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.machine, args)
    }

    /// The paths of the branch.
    pub(crate) fn branch(&self) -> Vec<String> {
        branch(&self.machine)
    }

    /// Ends as a killed process does, lets somebody do something meanwhile, and starts again.
    pub(crate) fn killed(self, meanwhile: impl FnOnce(&Sandbox)) -> Self {
        let Self { desk, machine } = self;
        // Nothing is written at the end of a desk.
        drop(desk);
        meanwhile(&machine);
        Self { desk: Desk::open(&machine.join("folder")).expect("the desk opens"), machine }
    }

    /// Places the version that is merged, as the applier does.
    pub(crate) fn place(&mut self, name: &str, content: &str) {
        let desk = &mut self.desk;
        let file = desk.repo.work_dir().join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("mkdir");
        std::fs::write(&file, content).expect("write");
        let entry = desk.index.get(name.as_bytes()).expect("it is merged").entry;
        let stat = desk.work.stat(&path(name)).expect("stat").expect("it stands there");
        desk.index.set(name.as_bytes(), IndexEntry::placed(entry, &stat));
        desk.ledger.settle([&path(name)]).expect("the row goes");
    }
}
