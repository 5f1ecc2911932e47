//! Both computers are killed at random moments of a copy, as a power cut would: nothing is lost, nothing is torn, and
//! in the end everything is everywhere.

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
use tributary_testkit::{OddFiles, Snapshot, differences, run, seed, snapshot};

use crate::scene::{Point, Scene, Side, full};

/// Copies, each of so many files and with so many kills.
const COPIES: (usize, usize, u32) = (1, 120, 8);
/// The same with `TRIBUTARY_FULL`: 200 kills of copies of 1,000 files.
const COPIES_FULL: (usize, usize, u32) = (10, 1_000, 20);
/// The longest life between two kills. Long enough to get somewhere, short enough to be cut in the middle.
const LONGEST_LIFE: Duration = Duration::from_millis(1500);
/// One kill in so many hits B, which receives.
const ONE_IN_B: u32 = 4;

#[test]
fn killed_at_random_moments_of_a_copy() {
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let (copies, files, kills) = if full() { COPIES_FULL } else { COPIES };
    for copy in 0..copies {
        let Some(mut scene) = Scene::set(Point::BareAndDirectory) else { return };
        let source = scene.sandbox.join("source");
        let all = OddFiles::new(seed.wrapping_add(copy as u64), files).largest(256 * 1024).write(&source);
        let copier = Copier { source, into: scene.a.folder.clone(), complete: Mutex::default() };
        // The copy lasts about as long as the kills.
        let pace = LONGEST_LIFE / 2 * kills / u32::try_from(files).expect("a test has few files");
        thread::scope(|scope| {
            let copying = scope.spawn(|| copier.copy(&all, pace));
            for _ in 0..kills {
                // No signal stands for a random moment.
                thread::sleep(rng.random_range(Duration::ZERO..LONGEST_LIFE));
                let of_b = rng.random_ratio(1, ONE_IN_B);
                let side = if of_b { &mut scene.b } else { &mut scene.a };
                side.node.kill();
                is_whole(side);
                if of_b {
                    shows_nothing_torn(&side.folder, &all)
                } else {
                    copier.nothing_is_lost(&all)
                }
                side.node.start_daemon();
            }
            copying.join().expect("the copy succeeds");
        });
        scene.arrives(&all);
        scene.settles();
        scene.judge(all.len());
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

/// Everything that git's history names is there, also in the middle of whatever was going on.
#[track_caller]
fn is_whole(side: &Side) {
    let mut command = side.node.machine().command("git");
    command.arg("-C").arg(&side.folder).args([
        "fsck",
        "--connectivity-only",
        "--no-dangling",
        "--no-progress",
    ]);
    run(command).ok();
}
