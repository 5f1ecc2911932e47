//! A computer is killed at random moments of a copy, as a power cut would, and the other one now and then: nothing is
//! lost, nothing is torn, and in the end everything is everywhere.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tributary_testkit::{Entry, OddFiles, Snapshot, annex_versions, differences, run, seed, snapshot};

use crate::scene::{Point, Scene, Side};

/// Files of each copy.
const FILES: usize = 1_000;
/// Kills of A in each copy: 200 in all ten.
const KILLS: u32 = 20;
/// The longest life between two kills. Long enough to get somewhere, short enough to be cut in the middle.
const LONGEST_LIFE: Duration = Duration::from_millis(1500);
/// B, which receives, is killed too after one in so many of these lives.
const ONE_IN_B: u32 = 4;

/// A test of its own for each copy, so that they run beside each other, and one can be run again by itself.
macro_rules! copies {
    ($($copy:ident)*) => { $(
        #[test]
        fn $copy() {
            killed_at_random_moments_of_a_copy();
        }
    )* };
}

copies! { copy_0 copy_1 copy_2 copy_3 copy_4 copy_5 copy_6 copy_7 copy_8 copy_9 }

fn killed_at_random_moments_of_a_copy() {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let Some(mut scene) = Scene::set(Point::BareAndDirectory) else { return };
    let source = scene.sandbox.join("source");
    let all = OddFiles::new(seed, FILES).largest(256 * 1024).write(&source);
    let copier = Copier { source, into: scene.a.folder.clone(), complete: Mutex::default() };
    // The copy lasts about as long as the kills.
    let pace = LONGEST_LIFE / 2 * KILLS / u32::try_from(FILES).expect("a test has few files");
    thread::scope(|scope| {
        let copying = scope.spawn(|| copier.copy(&all, pace));
        for _ in 0..KILLS {
            // No signal stands for a random moment.
            thread::sleep(rng.random_range(Duration::ZERO..LONGEST_LIFE));
            scene.a.node.kill();
            is_whole(&scene.a);
            nothing_is_torn(&scene.place().join("store"));
            copier.nothing_is_lost(&all);
            if rng.random_ratio(1, ONE_IN_B) {
                scene.b.node.kill();
                is_whole(&scene.b);
                shows_nothing_torn(&scene.b.folder, &all);
                scene.b.node.start_daemon();
            }
            scene.a.node.start_daemon();
        }
        copying.join().expect("the copy succeeds");
    });
    scene.arrives(&all);
    scene.settles();
    let contents: BTreeSet<_> = all.values().map(|entry| format!("{entry:?}")).collect();
    for side in [&scene.a, &scene.b] {
        assert!(is_whole(side) >= contents.len(), "every content was looked at");
    }
    // Nobody writes while git judges: what it has not seen when it lists the objects, and then finds in a reflog, it takes
    // for missing. (git-annex's own fsck of one folder is news to the other.)
    for side in [&mut scene.a, &mut scene.b] {
        side.node.stop();
    }
    let versions = annex_versions();
    let releases = u64::try_from(versions.len()).expect("there are few releases");
    let judge = scene.annex(&versions[usize::try_from(seed % releases).expect("the remainder is small")]);
    for side in [&scene.a, &scene.b] {
        assert_eq!(judge.judge(&side.folder).check(), all.len(), "every file was judged");
    }
}

/// Copies files one by one, as a person's program would, and knows which are complete.
struct Copier {
    source: PathBuf,
    into: PathBuf,
    complete: Mutex<BTreeSet<Vec<u8>>>,
}

impl Copier {
    fn copy(&self, all: &Snapshot, pace: Duration) {
        for path in all.keys() {
            let name = OsStr::from_bytes(path);
            let to = self.into.join(name);
            fs::create_dir_all(to.parent().expect("a file has a folder")).expect("a folder can be made");
            fs::copy(self.source.join(name), to).expect("a file can be copied");
            self.complete.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
            thread::sleep(pace);
        }
    }

    /// Every file that was complete stands as it was written.
    #[track_caller]
    fn nothing_is_lost(&self, all: &Snapshot) {
        let complete = self.complete.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let only = |snapshot: Snapshot| -> Snapshot {
            snapshot.into_iter().filter(|(path, _)| complete.contains(path)).collect()
        };
        let (expected, found) = (only(all.clone()), only(snapshot(&self.into)));
        assert!(found == expected, "written left, found right:\n{}", differences(&expected, &found));
    }
}

/// What a folder shows is of the source, file by file.
#[track_caller]
fn shows_nothing_torn(folder: &Path, all: &Snapshot) {
    let found = snapshot(folder);
    let expected: Snapshot = all
        .iter()
        .filter(|(path, _)| found.contains_key(*path))
        .map(|(path, entry)| (path.clone(), entry.clone()))
        .collect();
    assert!(found == expected, "the source left, shown right:\n{}", differences(&expected, &found));
}

/// Everything that git's history names is there, and every content is what its name says, also in the middle of whatever
/// was going on.
#[track_caller]
fn is_whole(side: &Side) -> usize {
    let mut command = side.node.machine().command("git");
    command.arg("-C").arg(&side.folder).args([
        "fsck",
        "--connectivity-only",
        "--no-dangling",
        "--no-progress",
    ]);
    run(command).ok();
    nothing_is_torn(&side.folder.join(".git/annex/objects"))
}

/// No content stands under the name of a key that it does not have. What is under way has another name, or another
/// folder than one of that key. Gives how many stand there.
#[track_caller]
fn nothing_is_torn(store: &Path) -> usize {
    let mut contents = 0;
    for (path, entry) in snapshot(store) {
        let mut parts = path.rsplit(|byte| *byte == b'/');
        let (name, folder) = (parts.next(), parts.next());
        let Some((size, digest)) = name.filter(|_| name == folder).and_then(size_and_digest) else {
            continue;
        };
        let Entry::File { size: found, sha256, .. } = &entry else {
            panic!("{} is no file: {entry:?}", path.escape_ascii())
        };
        let hex: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!((size, digest) == (*found, &hex), "{} is torn: {entry:?}", path.escape_ascii());
        contents += 1;
    }
    contents
}

/// What a name of the shape `SHA256E-sSIZE--DIGEST.EXTENSION` says of the content.
fn size_and_digest(key: &[u8]) -> Option<(u64, &str)> {
    let (fields, name) = std::str::from_utf8(key).ok()?.strip_prefix("SHA256E-s")?.split_once("--")?;
    Some((fields.parse().ok()?, name.split('.').next()?))
}
