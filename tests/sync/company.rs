//! Mixed company: A is ours, B is git-annex alone. Nobody tells A of what B pushes, so A looks by itself.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tributary_testkit::{
    Annex, AnnexVersion, Node, OddFiles, OddName, Sandbox, Snapshot, differences, need, run, snapshot,
    try_snapshot, within,
};

use crate::scene::{Side, limit};

/// The first release that fills no unlocked files whose names are not UTF-8, and adds none with the longest names.
const LOSES_ODD_NAMES: u32 = 20_240_000;

/// Both computers, with a bare repository for names and a `directory` special remote for contents between them.
pub struct Company {
    pub a: Side,
    /// B's git-annex.
    pub annex: Annex,
    /// B's folder.
    pub b: PathBuf,
    hub: PathBuf,
    store: PathBuf,
    // Last, so that the folders go after the processes.
    _sandbox: Sandbox,
}

impl Company {
    /// The two with an empty folder in sync. `None`, with the reason printed, where git is missing.
    #[track_caller]
    pub fn set(version: &AnnexVersion) -> Option<Self> {
        if !need("git") {
            return None;
        }
        let sandbox = Sandbox::new();
        let (hub, store) = (sandbox.join("names.git"), sandbox.dir("store"));
        let mut command = sandbox.command("git");
        command.args(["init", "-q", "--bare"]).arg(&hub);
        run(command).ok();
        let node = Node::start(Path::new(env!("CARGO_BIN_EXE_trib")), &sandbox.join("A.home"));
        let a = Side { node, folder: sandbox.join("A") };
        a.tell("add");
        a.remote_add(&["names", hub.to_str().expect("the tests' own paths are UTF-8")]);
        a.remote_add(&["store", "type=directory", &directory(&store), "encryption=none"]);
        a.wait();

        let annex = Annex::new(version);
        let b = annex.sandbox().join("B");
        let company = Company { a, annex, b, hub, store, _sandbox: sandbox };
        company.clone_to(&company.b);
        company.turn();
        Some(company)
    }

    /// Lets git-annex make a clone that knows where contents are.
    #[track_caller]
    fn clone_to(&self, dir: &Path) {
        self.annex.clone(&self.hub, dir, "git-annex alone");
        self.annex.annex(dir, ["enableremote", "store", &directory(&self.store)]);
        // The newest release wants a person to look at a place that somebody else set up.
        self.annex.git(dir, ["config", "remote.store.annex-verified", "verified"]);
    }

    /// Files that this release can handle.
    pub fn files(&self, seed: u64, count: usize) -> OddFiles {
        let files = OddFiles::new(seed, count).largest(256 * 1024);
        match self.annex.version().date() >= LOSES_ODD_NAMES {
            true => files.without(OddName::InvalidUtf8).without(OddName::Longest),
            false => files,
        }
    }

    /// B's turn, as its owner's timer gives it one. Whether all of it succeeded: when A pushes at the same moment, the
    /// next turn goes on.
    pub fn turn(&self) -> bool {
        let commands: [&[&str]; 2] = [&["add", "--quiet", "."], &["sync", "--quiet", "--content"]];
        let ran = commands.map(|command| self.annex.try_annex(&self.b, command));
        for failed in ran.iter().filter(|finished| !finished.success()) {
            eprintln!("B's turn: {failed}");
        }
        ran.iter().all(|finished| finished.success())
    }

    /// Gives B one turn after the other until both folders hold the same, and gives that.
    #[track_caller]
    pub fn converge(&self, what: &str) -> Snapshot {
        let same = within(limit(snapshot(&self.a.folder).len()), || {
            let succeeded = self.turn();
            self.a.wait();
            let (a, b) = (try_snapshot(&self.a.folder).ok()?, try_snapshot(&self.b).ok()?);
            (succeeded && a == b).then_some(a)
        });
        same.unwrap_or_else(|| self.differ(what))
    }

    /// Fails the test, with what each holds that the other does not.
    #[track_caller]
    pub fn differ(&self, what: &str) -> ! {
        let (a, b) = (snapshot(&self.a.folder), snapshot(&self.b));
        let status = self.a.node.folder(&self.a.folder);
        panic!("{what}: A, which is ours, left; B right:\n{}{status:#}", differences(&a, &b));
    }

    /// All that git-annex has to say of both folders, and of a clone that gets everything.
    #[track_caller]
    pub fn judge(&self, files: usize) {
        let Company { annex, .. } = self;
        assert_eq!(annex.judge(&self.a.folder).from("store").check(), files, "A has every file");
        // What git-annex itself leaves when it fills files is not held against B.
        assert_eq!(annex.judge(&self.b).get().from("store").check(), files, "B has every file");
        let third = annex.sandbox().join("third");
        self.clone_to(&third);
        assert_eq!(annex.judge(&third).get().from("store").check(), files, "a third clone gets every file");
        let (ours, theirs) = (snapshot(&self.a.folder), snapshot(&third));
        assert!(ours == theirs, "git-annex reads what we wrote:\n{}", differences(&ours, &theirs));
    }
}

/// The parameter that says where a `directory` special remote is.
fn directory(store: &Path) -> String {
    format!("directory={}", store.display())
}

/// Writes a file; its folders are made.
pub fn write(folder: &Path, path: impl AsRef<OsStr>, content: &str) {
    let path = folder.join(path.as_ref());
    fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
    fs::write(path, content).expect("a file can be written");
}
