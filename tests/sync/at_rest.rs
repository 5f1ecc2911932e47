//! A folder at rest is one of which git knows that nothing changed, without reading a file.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tributary_testkit::{Node, Sandbox, eventually, need, run};

use crate::scene::{LIMIT, Side};

const ROUNDS: usize = 4;

#[test]
fn git_need_not_look_at_a_file() {
    if !need("git") {
        return;
    }
    let sandbox = Sandbox::new();
    let node = Node::start(Path::new(env!("CARGO_BIN_EXE_trib")), &sandbox.join("home"));
    let side = Side { node, folder: sandbox.join("folder") };
    side.tell("add");
    // A round shows something only when the index is first written in the second of the file, as it mostly is.
    for round in 0..ROUNDS {
        let file = format!("file {round}.txt");
        side.write(&file, b"content");
        side.wait();
        // Git trusts no entry whose file changed in the second in which the index was written, or later.
        let second = |path: &str| fs::metadata(side.folder.join(path)).expect("it is there").mtime();
        eventually(LIMIT, "the index is written once more", || {
            (second(".git/index") > second(&file)).then_some(())
        });
    }
    let mut status = side.node.machine().command("git");
    status.current_dir(&side.folder).args(["status", "--short"]).env("GIT_TRACE", "1");
    let said = run(status).ok();
    assert_eq!(said.stdout(), "", "nothing is changed");
    assert!(!said.stderr().contains("filter-process"), "no file is read: {said}");
}
