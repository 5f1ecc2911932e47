//! A loss of power, as far as one can be had without a machine to cut it off: what it leaves torn in the folder is made
//! by hand, and the machine's id of its start is another one.

use std::fs::{self, File, FileTimes};
use std::path::Path;

use tributary_testkit::{run, snapshot};

use crate::scene::{Point, Scene};

#[test]
fn files_that_a_loss_of_power_left_torn_are_whole_again() {
    let Some(mut scene) = Scene::set(Point::BareAndDirectory) else { return };
    for file in 0..20 {
        scene.a.write(&format!("in/{file}"), format!("the content of file {file}").as_bytes());
    }
    scene.arrives(&snapshot(&scene.a.folder));
    scene.settles();

    scene.b.node.kill();
    fs::write(scene.b.folder.join(".git/tributary/boot"), "another start of the machine").expect("write");
    // Nothing of one, some of another; and one that a person made shorter before.
    tear(&scene.b.folder.join("in/3"), 0);
    tear(&scene.b.folder.join("in/4"), 11);
    fs::write(scene.b.folder.join("in/5"), "the content").expect("write");
    scene.b.node.start_daemon();

    let read = |file: &str| fs::read_to_string(scene.a.folder.join(file)).expect("it is there");
    scene.agree("the edit arrives", |_| read("in/5") == "the content");
    scene.settles();
    for file in [3, 4] {
        assert_eq!(read(&format!("in/{file}")), format!("the content of file {file}"), "both have it");
    }
    let mut log = scene.a.node.machine().command("git");
    // They may have been added by one commit or by two.
    log.current_dir(&scene.a.folder).args(["log", "--oneline", "--diff-filter=a", "--", "in/3", "in/4"]);
    assert_eq!(run(log).text(), "", "nobody took what was torn for an edit");
}

/// Cuts a file off without another trace.
fn tear(path: &Path, left: u64) {
    let file = File::options().write(true).open(path).expect("it is there");
    let changed = file.metadata().and_then(|meta| meta.modified()).expect("a time");
    file.set_len(left).expect("cut");
    file.set_times(FileTimes::new().set_modified(changed)).expect("times");
}
