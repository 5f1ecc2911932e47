//! Files placed in and removed from the work tree: edits win, links are not followed.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tributary_formats::tree_path::TreePath;
use tributary_repo::place_in_tree::{Expected, PlaceError, Placed, Removed, WorkTree};
use tributary_repo::stat::FileStat;
use tributary_testkit::Sandbox;

/// A folder with its annex directory, and a content to place.
struct Folder {
    sandbox: Sandbox,
    top: PathBuf,
    annex: PathBuf,
    object: PathBuf,
    tree: WorkTree,
}

impl Folder {
    fn new() -> Folder {
        let sandbox = Sandbox::new();
        let (top, annex) = (sandbox.dir("folder"), sandbox.dir("folder/.git/annex"));
        let object = sandbox.join("object");
        fs::write(&object, "new").unwrap();
        let tree = WorkTree::open(&top, &annex).unwrap();
        Folder { sandbox, top, annex, object, tree }
    }

    fn with(self, name: &str, content: &str) -> Folder {
        let path = self.top.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn stat(&self, name: &str) -> FileStat {
        self.tree.stat(&path(name)).unwrap().unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.top.join(name)).unwrap()
    }

    fn place(&self, name: &str, expected: Expected) -> Placed {
        self.tree.place_file(&path(name), &self.object, false, expected).unwrap()
    }

    /// What is in the folder but `.git`, and that nothing lies about in `othertmp`.
    fn names(&self) -> Vec<String> {
        let left: Vec<_> = fs::read_dir(self.annex.join("othertmp")).into_iter().flatten().collect();
        assert!(left.is_empty(), "no temporary file stays: {left:?}");
        let mut names: Vec<String> = fs::read_dir(&self.top)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != ".git")
            .collect();
        names.sort();
        names
    }
}

fn path(path: &str) -> TreePath {
    TreePath::new(path).unwrap()
}

#[test]
fn a_new_file_is_placed_where_nothing_is() {
    let folder = Folder::new();
    let Placed::Done(stat) = folder.place("sub/dir/f", Expected::Absent) else { panic!("nothing was there") };
    assert_eq!(stat, folder.stat("sub/dir/f"), "the index gets what is true");
    assert_eq!(folder.read("sub/dir/f"), "new");
    assert!(!stat.is_executable() && stat.mode & 0o600 == 0o600, "a file to be edited");
    let executable = folder.tree.place_file(&path("x"), &folder.object, true, Expected::Absent).unwrap();
    assert!(matches!(executable, Placed::Done(stat) if stat.is_executable()));
    folder.tree.place_bytes(&path("small"), b"in git", false, Expected::Absent).unwrap();
    assert_eq!(folder.read("small"), "in git");
    folder.tree.place_link(&path("link"), b"/no/where", Expected::Absent).unwrap();
    assert_eq!(folder.tree.read_link(&path("link")).unwrap(), b"/no/where");
    assert_eq!(folder.names(), ["link", "small", "sub", "x"]);

    let gone = folder.tree.place_file(&path("y"), &folder.sandbox.join("no object"), false, Expected::Absent);
    assert!(matches!(gone, Err(PlaceError::NoContent)));
    let long = "n".repeat(256);
    let named = folder.tree.place_file(&path(&long), &folder.object, false, Expected::Absent);
    assert!(matches!(named, Err(PlaceError::NameNotPossible(_))), "{named:?}");
}

#[test]
fn what_is_there_already_wins() {
    let folder = Folder::new().with("f", "mine").with("dir/f", "mine");
    assert_eq!(folder.place("f", Expected::Absent), Placed::EditedMeanwhile);
    symlink("nowhere", folder.top.join("dangling")).unwrap();
    assert_eq!(folder.place("dangling", Expected::Absent), Placed::EditedMeanwhile);
    assert_eq!(folder.place("dir", Expected::Absent), Placed::InTheWay { path: path("dir") });
    assert_eq!(folder.place("f/below/it", Expected::Absent), Placed::InTheWay { path: path("f") });
    assert_eq!((folder.read("f"), folder.read("dir/f")), ("mine".into(), "mine".into()));
    assert_eq!(folder.names(), ["dangling", "dir", "f"]);
}

#[test]
fn only_the_known_version_is_replaced() {
    let folder = Folder::new().with("f", "old");
    let known = folder.stat("f");
    assert!(
        matches!(folder.place("f", Expected::Version(known)), Placed::Done(stat) if stat == folder.stat("f"))
    );
    assert_eq!(folder.read("f"), "new");

    assert_eq!(folder.place("f", Expected::Version(known)), Placed::EditedMeanwhile, "that version is gone");
    let known = folder.stat("f");
    fs::write(folder.top.join("f"), "edit").unwrap();
    assert_eq!(folder.place("f", Expected::Version(known)), Placed::EditedMeanwhile);
    assert_eq!(folder.read("f"), "edit");

    let known = folder.stat("f");
    fs::remove_file(folder.top.join("f")).unwrap();
    assert_eq!(folder.place("f", Expected::Version(known)), Placed::EditedMeanwhile, "a deletion is an edit");
    fs::create_dir(folder.top.join("f")).unwrap();
    assert_eq!(folder.place("f", Expected::Version(known)), Placed::InTheWay { path: path("f") });
    assert_eq!(folder.names(), ["f"]);
}

#[test]
fn a_file_that_is_open_for_writing_is_left_alone() {
    let folder = Folder::new().with("f", "old");
    let known = folder.stat("f");
    assert!(!folder.tree.is_open_for_writing(&path("f")).unwrap());
    let mut writer = OpenOptions::new().append(true).open(folder.top.join("f")).unwrap();
    assert!(folder.tree.is_open_for_writing(&path("f")).unwrap());
    assert_eq!(folder.place("f", Expected::Version(known)), Placed::EditedMeanwhile);
    assert_eq!(folder.tree.remove_known(&path("f"), known).unwrap(), Removed::EditedMeanwhile);
    writer.write_all(b" and more").unwrap();
    drop(writer);
    assert_eq!(folder.read("f"), "old and more", "the writer's file has kept its name");
    assert!(!folder.tree.is_open_for_writing(&path("none")).unwrap());
    assert!(!folder.tree.is_open_for_writing(&path("none/below")).unwrap());
}

#[test]
fn links_on_the_way_lead_nowhere() {
    let folder = Folder::new();
    let outside = folder.sandbox.dir("outside");
    fs::write(outside.join("f"), "theirs").unwrap();
    symlink(&outside, folder.top.join("up")).unwrap();
    assert_eq!(folder.place("up/new", Expected::Absent), Placed::InTheWay { path: path("up") });
    let known = FileStat::from(&fs::metadata(outside.join("f")).unwrap());
    assert_eq!(folder.tree.remove_known(&path("up/f"), known).unwrap(), Removed::AlreadyGone);
    assert_eq!(folder.tree.stat(&path("up/f")).unwrap(), None);
    assert!(folder.tree.open_file(&path("up/f")).is_err());
    assert!(folder.tree.open_file(&path("up")).is_err());
    assert_eq!(folder.place("up/f", Expected::Version(known)), Placed::EditedMeanwhile);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "theirs");
}

#[test]
fn removing_takes_the_known_version_and_empty_parents() {
    let folder = Folder::new().with("a/b/c/f", "old").with("a/keep", "mine");
    let known = folder.stat("a/b/c/f");
    fs::write(folder.top.join("a/b/c/f"), "edit").unwrap();
    assert_eq!(folder.tree.remove_known(&path("a/b/c/f"), known).unwrap(), Removed::EditedMeanwhile);
    assert_eq!(folder.read("a/b/c/f"), "edit");
    let known = folder.stat("a/b/c/f");
    assert_eq!(folder.tree.remove_known(&path("a/b/c/f"), known).unwrap(), Removed::Done);
    assert!(!folder.top.join("a/b").exists(), "directories that this left empty");
    assert_eq!(folder.read("a/keep"), "mine");
    assert_eq!(folder.tree.remove_known(&path("a/b/c/f"), known).unwrap(), Removed::AlreadyGone);
    symlink("target", folder.top.join("link")).unwrap();
    assert_eq!(folder.tree.remove_known(&path("link"), folder.stat("link")).unwrap(), Removed::Done);
    assert_eq!(folder.names(), ["a"]);
}

#[test]
fn moving_and_the_executable_bit() {
    let folder = Folder::new().with("a/f", "content").with("taken", "mine");
    let known = folder.stat("a/f");
    assert_eq!(
        folder.tree.rename_known(&path("a/f"), &path("taken"), known).unwrap(),
        Placed::EditedMeanwhile
    );
    let Placed::Done(moved) = folder.tree.rename_known(&path("a/f"), &path("b/c/g"), known).unwrap() else {
        panic!("nothing is in the way")
    };
    assert_eq!((moved.ino, moved), (known.ino, folder.stat("b/c/g")));
    assert_eq!(folder.names(), ["a", "b", "taken"], "what comes next may belong there");
    folder.tree.remove_empty_parents(&path("a/f")).unwrap();
    assert_eq!(folder.names(), ["b", "taken"], "the directory that this left empty has gone");
    folder.tree.remove_empty_parents(&path("b/f")).unwrap();
    assert_eq!(folder.names(), ["b", "taken"], "and another has not");
    assert_eq!(folder.tree.rename_known(&path("a/f"), &path("h"), known).unwrap(), Placed::EditedMeanwhile);

    let Placed::Done(executable) = folder.tree.set_executable(&path("b/c/g"), true, moved).unwrap() else {
        panic!("it is the known version")
    };
    assert!(executable.is_executable() && executable == folder.stat("b/c/g"));
    assert_eq!(folder.tree.set_executable(&path("b/c/g"), false, moved).unwrap(), Placed::EditedMeanwhile);
    let plain = folder.tree.set_executable(&path("b/c/g"), false, executable).unwrap();
    assert!(matches!(plain, Placed::Done(stat) if stat.mode == moved.mode));
}

/// A program saves again and again, in place and by rename, while each version that was looked at is replaced. Every
/// version saved stays, or was replaced by somebody who had seen it.
#[test]
fn no_save_is_lost_to_a_race() {
    const SAVES: usize = 300;
    let folder = Folder::new().with("f", "0");
    let (stop, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    let replaced = Mutex::new(HashSet::new());
    let file = folder.top.join("f");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                // A look at a whole version: nothing changed while it was read.
                let look =
                    folder.tree.stat(&path("f")).unwrap().map(|stat| (stat, fs::read_to_string(&file)));
                if let Some((known, Ok(text))) = look
                    && text != "new"
                    && folder.tree.stat(&path("f")).unwrap() == Some(known)
                    && let Placed::Done(_) = folder.place("f", Expected::Version(known))
                {
                    replaced.lock().unwrap().insert(text);
                }
                rounds.fetch_add(1, Ordering::SeqCst);
            }
        });
        let _stops = StopAtEnd(&stop);
        for number in 1..=SAVES {
            // Of different sizes, since the clock of older kernels' file systems ticks too slowly to tell saves apart.
            let text = format!("saved {number} {}", "x".repeat(number));
            if number % 2 == 0 {
                let aside = folder.top.join("f.new");
                fs::write(&aside, &text).unwrap();
                fs::rename(&aside, &file).unwrap();
            } else {
                File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
            }
            // The round that was under way, and a whole one after it.
            let seen = rounds.load(Ordering::SeqCst);
            while rounds.load(Ordering::SeqCst) < seen + 2 {
                std::thread::yield_now();
            }
            let now = fs::read_to_string(&file).unwrap();
            let replaced = replaced.lock().unwrap().contains(&text);
            assert!(now == text || (replaced && now == "new"), "save {number} was lost to {now:?}");
        }
    });
    assert!(replaced.lock().unwrap().len() > SAVES / 10, "versions were replaced all the while");
}

/// Lets the other thread end when this one fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn what_a_crash_left_is_cleaned_up() {
    let Folder { sandbox: _kept, annex, tree, object, .. } = Folder::new();
    let prepared = tree.prepare_file(&object, false).unwrap();
    let left = fs::read_dir(annex.join("othertmp")).unwrap().next().unwrap().unwrap().path();
    WorkTree::clean_up(&annex).unwrap();
    assert!(left.exists(), "somebody works there");
    std::mem::forget(prepared);
    drop(tree);
    fs::write(annex.join("othertmp/git-annex's"), "").unwrap();
    WorkTree::clean_up(&annex).unwrap();
    let names: Vec<_> =
        fs::read_dir(annex.join("othertmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["git-annex's"], "only what is ours");
}
