//! Disks that are full or must not be written to. They are made by mounting, which needs a privileged user.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tributary_testkit::{Sandbox, eventually, need, run, within};

use crate::member::{LIMIT, Member, bare, text};

/// Something mounted, until this value goes.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts something on `dir`; says why and gives `None` where that is not permitted.
    fn new(dir: &Path, args: &[&str]) -> Option<Self> {
        if !need("mount") {
            return None;
        }
        let mut command = Command::new("mount");
        command.args(args).arg(dir);
        let mounted = run(command);
        if !mounted.success() {
            eprintln!("skipped: mounting is not permitted here: {}", mounted.stderr());
            return None;
        }
        Some(Mounted(dir.to_owned()))
    }

    /// Mounts it anew with other options.
    #[track_caller]
    fn again(&self, options: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{options}")]).arg(&self.0);
        run(command).ok();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a daemon that is being killed may still have a file open there.
        let mut command = Command::new("umount");
        command.arg("-l").arg(&self.0);
        if !run(command).success() {
            eprintln!("left mounted: {}", self.0.display());
        }
    }
}

#[test]
fn a_full_disk_is_said_and_healed() {
    let sandbox = Sandbox::new();
    let (hub, store) = (bare(&sandbox, "hub.git"), sandbox.dir("store"));
    let Some(disk) = Mounted::new(&sandbox.dir("b"), &["-t", "tmpfs", "-o", "size=6m", "tmpfs"]) else {
        return;
    };
    let (a, b) = (Member::start(&sandbox, "a"), Member::start(&sandbox, "b"));
    a.add().remote("hub", &[text(&hub)]).store(&store).write("small", "s").wait();
    b.clone_from(&hub);
    b.git(&["config", "annex.diskreserve", "100 kilobytes"]);
    b.store(&store).wait();
    a.write("large", vec![7; 8 << 20]).wait();
    b.sync();
    let problem = b.one_problem("diskFull");
    assert_eq!(problem["needsYou"], true, "a person has to make room: {problem:#}");
    assert_eq!((b.read("large"), b.read("small").as_deref()), (None, Some("s")), "nothing is torn or lost");

    disk.again("size=64m");
    b.sync();
    eventually(LIMIT, "with room it arrives", || (b.files() == a.files()).then_some(()));
    b.wait().no_problem("diskFull");
}

#[test]
fn a_read_only_folder_is_said_and_healed() {
    let sandbox = Sandbox::new();
    let (hub, store) = (bare(&sandbox, "hub.git"), sandbox.dir("store"));
    let (a, b) = (Member::start(&sandbox, "a"), Member::start(&sandbox, "b"));
    a.add().remote("hub", &[text(&hub)]).store(&store).write("sub/one", "1").wait();
    b.clone_from(&hub).store(&store).wait().awaits(&a.files());
    let sub = b.dir.join("sub");
    let Some(read_only) = Mounted::new(&sub, &["--bind", text(&sub)]) else { return };
    read_only.again("bind,ro");
    a.write("sub/two", "2").write("three", "3").wait();
    b.sync();
    let problem = b.one_problem("readOnly");
    assert_eq!(problem["needsYou"], true, "a person has to give the permission: {problem:#}");
    eventually(LIMIT, "the rest goes on", || b.read("three"));
    assert_eq!(
        (b.read("sub/one").as_deref(), b.read("sub/two")),
        (Some("1"), None),
        "what was there is there"
    );
    drop(read_only);
    b.sync();
    b.awaits(&a.files()).wait().no_problem("readOnly");
}

#[test]
fn a_place_that_can_only_be_read_is_said_until_it_can_be_written_to() {
    let sandbox = Sandbox::new();
    let (drive, store) = (sandbox.dir("drive"), sandbox.dir("store"));
    let hub = bare(&sandbox, "drive/hub.git");
    let a = Member::start(&sandbox, "a");
    a.add().remote("hub", &[text(&hub)]).store(&store).write("one", "1").wait();
    let Some(read_only) = Mounted::new(&drive, &["--bind", text(&drive)]) else { return };
    read_only.again("bind,ro");
    a.write("two", "2");
    let problem = a.one_problem("placeRefused");
    assert_eq!((problem["subject"].as_str(), problem["needsYou"].as_bool()), (Some("hub"), Some(true)));
    // Reading works: that says nothing of writing.
    let waited = a.node.try_wait(&a.dir, crate::member::SHORT);
    assert_eq!(waited.code(), Some(1), "it is not in sync: {waited}");
    a.one_problem("placeRefused");
    assert_eq!(a.problems("placeRefused")[0]["since"], problem["since"], "it is the same problem");
    drop(read_only);
    a.wait().no_problem("placeRefused");
    let names = crate::member::git(&sandbox, &hub, &["ls-tree", "-r", "--name-only", "master"]);
    assert!(names.contains("two"), "it has the name: {names}");
}

#[test]
fn a_full_disk_is_one_problem_whoever_notices_it() {
    let sandbox = Sandbox::new();
    let folder = sandbox.dir("a/folder");
    let Some(disk) = Mounted::new(&folder, &["-t", "tmpfs", "-o", "size=8m", "tmpfs"]) else { return };
    let a = Member::start(&sandbox, "a");
    a.add().write("small", "s").wait();
    // It takes all the room there is; nothing is left for what has to be written beside it.
    std::fs::write(a.dir.join("large"), vec![7; 16 << 20]).expect_err("it does not fit");
    a.one_problem("diskFull");
    let waited = a.node.try_wait(&a.dir, crate::member::SHORT);
    assert_eq!(waited.code(), Some(1), "{waited}");
    let status = a.status();
    assert_eq!(status["problems"].as_array().map(Vec::len), Some(1), "one cause: {status:#}");
    disk.again("size=64m");
    a.wait().no_problem("diskFull");
    assert!(a.git(&["ls-files"]).contains("large"), "with room it is taken in");
}

#[test]
fn while_the_disk_has_no_room_nothing_is_tried_in_vain() {
    rests_while_full("size=40m,nr_inodes=100k", "size=400m,nr_inodes=100k");
}

#[test]
fn while_the_disk_takes_no_more_files_nothing_is_tried_in_vain() {
    rests_while_full("size=400m,nr_inodes=3500", "size=400m,nr_inodes=100k");
}

/// A copy of many files fills the disk of a whole computer. It rests until there is room, and then goes on by itself.
#[track_caller]
fn rests_while_full(full: &str, room: &str) {
    const FILES: usize = 1_200;
    /// Less than a tenth of the files, once.
    const LITTLE: u64 = 3 << 20;
    let sandbox = Sandbox::new();
    let (hub, store) = (bare(&sandbox, "hub.git"), sandbox.dir("store"));
    let Some(disk) = Mounted::new(&sandbox.dir("a"), &["-t", "tmpfs", "-o", full, "tmpfs"]) else { return };
    let a = Member::start(&sandbox, "a");
    a.add().remote("hub", &[text(&hub)]).store(&store).write("before", "b").wait();
    let mut written = 0;
    for n in 0..FILES {
        let mut content = vec![7; 32 << 10];
        content[..8].copy_from_slice(&n.to_le_bytes());
        let file = a.dir.join(format!("{n:04}"));
        written += usize::from(std::fs::write(&file, content).is_ok());
    }
    a.one_problem("diskFull");

    // What had room still is on its way to the places, and the pauses between two tries grow first.
    let calm = within(2 * LIMIT, || {
        let (used, read) = (a.node.cpu_time(), a.node.bytes_read());
        std::thread::sleep(Duration::from_secs(10));
        let (used, read) = (a.node.cpu_time() - used, a.node.bytes_read() - read);
        eprintln!("{used:?} of CPU time and {read} bytes read in 10 s, with {written} files");
        (used < Duration::from_secs(1) && read < LITTLE).then_some(())
    });
    assert!(calm.is_some(), "it does not rest: {:#}", a.status());
    a.one_problem("diskFull");

    let made = Instant::now();
    disk.again(room);
    a.no_problem("diskFull");
    eprintln!("it goes on {:?} after there was room", made.elapsed());
    a.wait();
    assert_eq!(a.status()["problems"].as_array().map(Vec::len), Some(0), "{:#}", a.status());
    // Beside the files that were written, also in part, there is `.git`.
    let there = std::fs::read_dir(&a.dir).expect("the folder can be read").count() - 1;
    let known = a.git(&["ls-tree", "--name-only", "HEAD"]).lines().count();
    assert_eq!(known, there, "all is committed");
}
