//! A system that allows fewer watches than the folder has folders. The limit is one of a namespace of the daemon's own, so
//! that nothing else on the machine is disturbed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tributary_testkit::{Node, Sandbox, eventually, need, run};

use crate::member::{LIMIT, Member, text, trib};

/// Watches that the daemon may have: too few for this many folders.
const ALLOWED: usize = 8;

/// A `trib` whose daemon may set only a few watches; `None`, with the reason printed, where that cannot be made.
fn trib_with_few_watches(sandbox: &Sandbox) -> Option<PathBuf> {
    if !need("unshare") {
        return None;
    }
    // A namespace has the limits of its own users beside those of the system.
    let limited = format!("echo {ALLOWED} > /proc/sys/user/max_inotify_watches");
    let mut tried = Command::new("unshare");
    tried.args(["--user", "--map-root-user", "sh", "-c", &limited]);
    let tried = run(tried);
    if !tried.success() {
        eprintln!("skipped: namespaces of users are not permitted here: {}", tried.stderr());
        return None;
    }
    let program = sandbox.join("trib");
    let trib = text(trib());
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = daemon ] || exec {trib} \"$@\"\n\
         exec unshare --user --map-root-user sh -c '{limited} && exec {trib} daemon'\n"
    );
    fs::write(&program, script).expect("our own folder can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
    Some(program)
}

fn start(sandbox: &Sandbox, trib: &Path) -> Member {
    let home = sandbox.join("a").join("home");
    Member { node: Node::start(trib, &home), dir: sandbox.join("a").join("folder") }
}

#[test]
fn a_limit_of_watches_is_said_and_the_folder_is_looked_through_instead() {
    let sandbox = Sandbox::new();
    let Some(limited) = trib_with_few_watches(&sandbox) else { return };
    let a = start(&sandbox, &limited);
    a.add().write("few/one", "1").wait();
    assert!(a.problems("watchLimit").is_empty(), "few folders can be watched: {:#}", a.status());

    for number in 0..2 * ALLOWED {
        a.write(&format!("many {number}/file"), "x");
    }
    let problem = a.one_problem("watchLimit");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("max_user_watches")), "{problem:#}");
    a.write("many 3/later", "y").write("few/two", "2").wait();
    let known = a.git(&["ls-files"]);
    assert!(known.contains("many 3/later") && known.contains("few/two"), "all of it is taken in: {known}");

    for number in 0..2 * ALLOWED {
        fs::remove_dir_all(a.dir.join(format!("many {number}"))).expect("it can be removed");
    }
    a.run(["held", a.path(), "--delete"]);
    a.wait();
    eventually(LIMIT, "with fewer folders they are watched again", || {
        a.sync();
        a.problems("watchLimit").is_empty().then_some(())
    });
    a.write("few/three", "3");
    eventually(LIMIT, "a change is seen without being asked for", || {
        a.git(&["ls-files"]).contains("few/three").then_some(())
    });
}
