//! Disks that are full or must not be written to. They are made by mounting, which needs a privileged user.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tributary_testkit::{Sandbox, eventually, need, run};

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
    fs::create_dir_all(&b.dir).expect("mkdir");
    let Some(disk) = Mounted::new(&b.dir, &["-t", "tmpfs", "-o", "size=32m", "tmpfs"]) else { return };
    a.add().remote("hub", &[text(&hub)]).store(&store).write("one", "1").wait();
    b.clone_from(&hub);
    b.git(&["config", "annex.diskreserve", "100 kilobytes"]);
    b.store(&store).wait();
    disk.again("ro");
    a.write("two", "2").wait();
    b.sync();
    eventually(LIMIT, "B says that something is wrong", || {
        let problems = b.status()["problems"].as_array().cloned().unwrap_or_default();
        problems.iter().any(|problem| problem["code"] == "readOnly").then_some(())
    });
    assert_eq!(b.read("one").as_deref(), Some("1"), "what is there can be read");
    disk.again("rw");
    b.sync();
    eventually(LIMIT, "it goes on", || (b.files() == a.files()).then_some(()));
    b.wait().no_problem("readOnly");
}
